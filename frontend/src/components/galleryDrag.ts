/** Pictures on their way to a board: what a drag carries. */

const TYPE = "application/x-aigc-pictures";

export function startDrag(event: DragEvent, ids: readonly string[]): void {
  if (event.dataTransfer === null) return;
  event.dataTransfer.setData(TYPE, JSON.stringify(ids));
  event.dataTransfer.effectAllowed = "move";
}

/** Whether what is dragged are pictures of the gallery. */
export function carriesPictures(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes(TYPE) === true;
}

export function draggedPictures(event: DragEvent): string[] {
  const text = event.dataTransfer?.getData(TYPE) ?? "";
  return text === "" ? [] : (JSON.parse(text) as string[]);
}
