"""What both sides know: messages, events, and the job's log in Redis with its scripts. Imports nothing of ours."""
