/** The schedulers that the sdxl engine offers by name. */
export const SCHEDULERS = [
  "ddim",
  "deis",
  "dpmpp_2m",
  "dpmpp_2m_karras",
  "dpmpp_2m_sde",
  "dpmpp_2m_sde_karras",
  "euler",
  "euler_a",
  "euler_karras",
  "heun",
  "lcm",
  "unipc",
] as const;
