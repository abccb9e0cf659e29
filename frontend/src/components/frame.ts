/** What a page can ask of its StudioFrame. */
export interface FramePanels {
  closePhonePanel: () => void;
  turnInspector: () => void;
}
