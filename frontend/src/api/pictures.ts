import { ask } from "@/api/http";
import { askPage } from "@/api/pages";
import { untilAnswered } from "@/api/retry";
import type { Board, Page, Picture, PictureCounts, PictureDetail } from "@/api/types";

const PATH = "/api/v1/pictures";
const BOARDS = "/api/v1/boards";
/** Pictures of a page of the list: some screens of a grid. */
const PAGE = "200";

/** Which pictures; all of it must match. */
export interface PictureFilter {
  /** A board's id, or NO_BOARD. */
  board?: string;
  favourite?: boolean;
  model?: string;
  search?: string;
}

export const NO_BOARD = "none";

export type PictureFormat = "png" | "jpeg" | "webp";
export type PictureChange = Partial<Pick<Picture, "favourite" | "board">>;

export async function listPictures(filter: PictureFilter, cursor: string | null): Promise<Page<Picture>> {
  return askPage(PATH, { ...queryOf(filter), limit: PAGE, cursor: cursor ?? undefined });
}

/** The ids of all that match. */
export async function listPictureIds(filter: PictureFilter): Promise<string[]> {
  return (await ask<{ ids: string[] }>(`${PATH}/ids`, { query: queryOf(filter) })).ids;
}

export async function countPictures(filter: PictureFilter): Promise<PictureCounts> {
  return ask<PictureCounts>(`${PATH}/counts`, { query: queryOf(filter) });
}

export async function getPicture(id: string): Promise<PictureDetail> {
  return ask<PictureDetail>(`${PATH}/${encodeURIComponent(id)}`);
}

/** Mark or file them; those that are gone meanwhile are passed over. */
export async function changePictures(ids: readonly string[], change: PictureChange): Promise<void> {
  await untilAnswered(() => ask(PATH, { method: "PATCH", json: { pictures: ids, ...change } }));
}

/** Hide them; for some minutes they can be restored. */
export async function deletePictures(ids: readonly string[]): Promise<void> {
  await untilAnswered(() => ask(`${PATH}/delete`, { method: "POST", json: { pictures: ids } }));
}

export async function restorePictures(ids: readonly string[]): Promise<void> {
  await untilAnswered(() => ask(`${PATH}/restore`, { method: "POST", json: { pictures: ids } }));
}

/** Where it can be downloaded, with all that made it inside. */
export function downloadAddress(picture: Picture, as: PictureFormat): string {
  return `${picture.file}?as=${as}`;
}

export async function listBoards(): Promise<Board[]> {
  return (await ask<{ results: Board[] }>(BOARDS)).results;
}

export async function createBoard(name: string): Promise<Board> {
  return ask<Board>(BOARDS, { method: "POST", json: { name } });
}

export async function renameBoard(id: string, name: string): Promise<Board> {
  return ask<Board>(`${BOARDS}/${encodeURIComponent(id)}`, { method: "PATCH", json: { name } });
}

/** Its pictures stay. */
export async function deleteBoard(id: string): Promise<void> {
  await ask<null>(`${BOARDS}/${encodeURIComponent(id)}`, { method: "DELETE" });
}

function queryOf({ board, favourite, model, search }: PictureFilter): Record<string, string | undefined> {
  return { board, favourite: favourite === true ? "true" : undefined, model, search };
}
