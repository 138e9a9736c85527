/** Notices that the other side has said nothing for too long. Owns one timer. */

export class SilenceTimer {
  readonly #isHeldBack: () => boolean;
  readonly #onSilence: () => void;
  #timer: NodeJS.Timeout | undefined;

  /** While `isHeldBack` says that nothing is let in, silence is not the other side's. */
  constructor(isHeldBack: () => boolean, onSilence: () => void) {
    this.#isHeldBack = isHeldBack;
    this.#onSilence = onSilence;
  }

  /** Something must come within `ms` from now; replaces what was expected before. */
  expectWithin(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.#isHeldBack()) this.expectWithin(ms);
      else this.#onSilence();
    }, ms);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
