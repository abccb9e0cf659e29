/** Dragging a conversation from the list to a folder. Its menu does the same without a mouse. */

import { ref, type Ref } from "vue";

const TYPE = "application/x-studio-conversation";

export function startDrag(event: DragEvent, conversation: string): void {
  event.dataTransfer?.setData(TYPE, conversation);
  if (event.dataTransfer !== null) event.dataTransfer.effectAllowed = "move";
}

export interface DropPlace {
  /** A conversation is held over it. */
  over: Ref<boolean>;
  listeners: { dragover: (event: DragEvent) => void; dragleave: (event: DragEvent) => void; drop: (event: DragEvent) => void };
}

/** A place that takes conversations; anything else that is dragged over it is none of its business. */
export function useDropPlace(take: (conversation: string) => void): DropPlace {
  const over = ref(false);

  function dragover(event: DragEvent): void {
    if (event.dataTransfer?.types.includes(TYPE) !== true) return;
    event.preventDefault();
    over.value = true;
  }

  function dragleave(event: DragEvent): void {
    const inside = event.currentTarget instanceof Node && event.relatedTarget instanceof Node && event.currentTarget.contains(event.relatedTarget);
    if (!inside) over.value = false;
  }

  function drop(event: DragEvent): void {
    const conversation = event.dataTransfer?.getData(TYPE) ?? "";
    over.value = false;
    if (conversation === "") return;
    event.preventDefault();
    take(conversation);
  }

  return { over, listeners: { dragover, dragleave, drop } };
}
