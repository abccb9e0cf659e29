import type { Messages } from "@/i18n/messages";

export const compare: Messages["compare"] = {
  choose: "比较模型…",
  title: "让几个模型并排回答",
  lead: "接下来的问题由它们各自回答。留下更好的回答，对话就从那里继续。",
  place: "模型 {n}",
  drop: "去掉模型 {n}",
  add: "添加模型",
  one: "恢复为一个模型",
  confirm: "并排提问",
  keep: "保留这个回答",
  answerOf: "{name} 的回答",
  answers: "回答",
  hint: "选择从哪个回答继续对话，其他回答会保留为别的版本。",
  later: "逐个查看",
  sideBySide: "并排显示回答",
};
