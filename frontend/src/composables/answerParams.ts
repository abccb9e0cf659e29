/** The numbers that say how to answer, within the limits that the API states. */

import type { NumberSchema } from "@/api/kinds";

export const ANSWER_PARAMS = ["temperature", "top_p", "max_tokens", "seed"] as const;
export type AnswerParam = (typeof ANSWER_PARAMS)[number];

export interface Limits {
  readonly min: number;
  /** The least itself is not allowed. */
  readonly above: boolean;
  readonly max: number;
  readonly whole: boolean;
  /** Taken where nothing is said; null leaves it to the model. */
  readonly usual: number | null;
}

export function limitsOf(schema: NumberSchema): Limits {
  const own = schema.anyOf?.find((each) => each.type !== "null") ?? schema;
  // What lies beyond cannot be told apart here.
  const most = own.maximum ?? (own.exclusiveMaximum === undefined ? Number.MAX_SAFE_INTEGER : own.exclusiveMaximum - 1);
  return {
    min: own.exclusiveMinimum ?? own.minimum ?? Number.MIN_SAFE_INTEGER,
    above: own.exclusiveMinimum !== undefined,
    max: Math.min(most, Number.MAX_SAFE_INTEGER),
    whole: own.type === "integer",
    usual: schema.default ?? null,
  };
}

export type Reading = { readonly state: "unset" } | { readonly state: "number"; readonly value: number } | { readonly state: "wrong"; readonly why: "number" | "whole" | "range" };

/** What was typed into a field; a comma is a decimal point as well. */
export function readNumber(typed: string, limits: Limits | undefined): Reading {
  const text = typed.trim().replace(",", ".");
  if (text === "") return { state: "unset" };
  const value = Number(text);
  if (!Number.isFinite(value)) return { state: "wrong", why: "number" };
  if (limits === undefined) return { state: "number", value };
  if (limits.whole && !Number.isInteger(value)) return { state: "wrong", why: "whole" };
  const inside = value <= limits.max && (limits.above ? value > limits.min : value >= limits.min);
  return inside ? { state: "number", value } : { state: "wrong", why: "range" };
}
