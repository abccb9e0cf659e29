// Attributes that browsers know and Vue's types do not yet.
import "@vue/runtime-dom";

declare module "@vue/runtime-dom" {
  interface HTMLAttributes {
    popover?: "" | "auto" | "manual";
  }
  interface ButtonHTMLAttributes {
    popovertarget?: string;
  }
}
