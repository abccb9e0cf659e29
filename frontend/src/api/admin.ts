/** Addresses of the server's own admin pages, for staff. */

import type { Medium } from "@/api/types";

export const CATALOGUE_ADDRESS = "/admin/catalog/model/";

/** The form of a catalogue entry. */
export function modelAddress(id: string): string {
  // How the admin writes ids: an underscore begins a code there.
  return `${CATALOGUE_ADDRESS}${encodeURIComponent(id.replaceAll("_", "_5F"))}/change/`;
}

/** The empty form of a new one, with these fields filled in. */
export function newModelAddress(known: { medium: Medium; engine: string; source: string }): string {
  return `${CATALOGUE_ADDRESS}add/?${new URLSearchParams({ ...known, enabled: "on" }).toString()}`;
}
