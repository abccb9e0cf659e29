import type { Messages } from "@/i18n/messages";

export const folders: Messages["folders"] = {
  title: "文件夹",
  create: "新建文件夹",
  name: "文件夹名称",
  menu: "文件夹 {name} 的更多操作",
  rename: "重命名文件夹",
  delete: "删除文件夹",
  deleted: "已删除文件夹“{name}”，里面的 {n} 个对话会保留，不再属于任何文件夹。",
  count: "{n} 个对话",
  empty: "里面还没有对话。把对话拖到这里，或使用对话的菜单。",
  in: "在文件夹 {name} 中",
  move: "移到文件夹…",
  moveTitle: "把“{title}”放到哪里？",
  none: "不放入文件夹",
  createAndMove: "新建并移入",
  moved: "“{title}”已移到文件夹“{name}”。",
  takenOut: "“{title}”已移出文件夹。",
};
