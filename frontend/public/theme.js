// Before the first paint, so that a dark page does not flash white. A file of its own: the page allows no inline script.
try {
  const theme = JSON.parse(localStorage.getItem("studio.theme") ?? '"system"');
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is closed (private mode): the system's theme stays.
}
