import type { Messages } from "@/i18n/messages";

export const tray: Messages["tray"] = {
  title: "任务栏",
  show: "打开任务栏",
  close: "关闭任务栏",
  running: "进行中和等待中",
  nothing: "没有进行中或等待中的任务。提交对话、图像或语音后，马上会显示在这里。",
  ended: "最近结束",
  stop: "停止：{title}",
  retry: "重试：{title}",
  open: "打开：{title}",
  stopAll: "全部停止",
  stopAllSure: "停止全部 {n} 个任务吗？已完成的部分会保留。",
  leave: "继续运行",
  all: "全部任务",
};
