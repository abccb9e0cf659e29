import { computed, ref, type ComputedRef, type Ref } from "vue";

const MOST = 16;
const WHEEL = 1.0015;
const STEP = 1.5;
/** A press that moves less than this is a click. */
const CLICK_PX = 4;

export interface UsePanZoom {
  /** 1 fits the picture into its place. */
  scale: Ref<number>;
  transform: ComputedRef<string>;
  nearer: () => void;
  farther: () => void;
  reset: () => void;
  onWheel: (event: WheelEvent) => void;
  onPress: (event: PointerEvent) => void;
  onMove: (event: PointerEvent) => void;
  onRelease: (event: PointerEvent) => void;
}

/** Looking at a picture closely: the wheel and the keys zoom, a drag moves, a click goes near and back. */
export function usePanZoom(): UsePanZoom {
  const scale = ref(1);
  const x = ref(0);
  const y = ref(0);
  let pressed: { x: number; y: number; moved: number } | null = null;

  const transform = computed(() => `translate(${x.value}px, ${y.value}px) scale(${scale.value})`);

  /** Zoom so that what is at this point, counted from the middle, stays there. */
  function zoom(factor: number, atX = 0, atY = 0): void {
    const wanted = Math.min(MOST, Math.max(1, scale.value * factor));
    const real = wanted / scale.value;
    x.value = wanted === 1 ? 0 : atX - (atX - x.value) * real;
    y.value = wanted === 1 ? 0 : atY - (atY - y.value) * real;
    scale.value = wanted;
  }

  function reset(): void {
    scale.value = 1;
    x.value = y.value = 0;
  }

  function fromMiddle(event: MouseEvent): [number, number] {
    if (!(event.currentTarget instanceof HTMLElement)) return [0, 0];
    const box = event.currentTarget.getBoundingClientRect();
    return [event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2];
  }

  function onWheel(event: WheelEvent): void {
    zoom(WHEEL ** -event.deltaY, ...fromMiddle(event));
  }

  function onPress(event: PointerEvent): void {
    if (event.button !== 0) return;
    pressed = { x: event.clientX, y: event.clientY, moved: 0 };
    if (event.currentTarget instanceof HTMLElement) event.currentTarget.setPointerCapture(event.pointerId);
  }

  function onMove(event: PointerEvent): void {
    if (pressed === null) return;
    const [dx, dy] = [event.clientX - pressed.x, event.clientY - pressed.y];
    pressed = { x: event.clientX, y: event.clientY, moved: pressed.moved + Math.abs(dx) + Math.abs(dy) };
    if (scale.value === 1) return;
    x.value += dx;
    y.value += dy;
  }

  function onRelease(event: PointerEvent): void {
    // A press that became a scroll of the page is cancelled, and was none.
    const clicked = event.type === "pointerup" && pressed !== null && pressed.moved < CLICK_PX;
    pressed = null;
    if (!clicked) return;
    if (scale.value > 1) reset();
    else zoom(2, ...fromMiddle(event));
  }

  return {
    scale,
    transform,
    nearer: () => {
      zoom(STEP);
    },
    farther: () => {
      zoom(1 / STEP);
    },
    reset,
    onWheel,
    onPress,
    onMove,
    onRelease,
  };
}
