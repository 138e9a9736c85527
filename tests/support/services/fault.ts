/** Faults that a proxy can put between a client and a server, and the switch that chooses them. A switch owns its choice and its counts. */

export type Fault =
  /** Nobody listens, and connections are cut. Chosen for one request: its connection is reset. */
  | { readonly kind: 'refuse' }
  /**
   * Connections are accepted and nothing is answered; `done` says that the server has done what was asked. Default false.
   * Ends by itself after `forMs`; default: with the next change.
   */
  | { readonly kind: 'hang'; readonly done?: boolean; readonly forMs?: number }
  /** The server does what was asked, and the connection breaks after so many bytes of its answer. Default 0. */
  | { readonly kind: 'cut'; readonly afterBytes?: number }
  /** Answers come at this rate. */
  | { readonly kind: 'slow'; readonly bytesPerSecond: number }
  /** HTTP only: answered by the proxy, in the shape of the service that was asked. `code` as AWS names it, for instance `ThrottlingException`. */
  | { readonly kind: 'error'; readonly status: number; readonly code: string; readonly message?: string };

export type FaultCounts = Readonly<Record<Fault['kind'] | 'passed', number>>;

/** What a proxy offers beside its address. `Event` is what a fault may be chosen by. */
export interface FaultControl<Event> {
  /**
   * Has this fault from now on, or the one that `fault` chooses for each event; undefined lets it pass. Resolves when
   * it has met somebody for the first time, with the event; `clear` rejects nothing, it then stays unresolved.
   */
  readonly fail: (fault: Fault | ((event: Event) => Fault | undefined)) => Promise<{ readonly hit: Promise<Event> }>;
  /** As if nothing had been. What hung goes on (TCP), or is cut off so that it is tried again (HTTP). */
  readonly clear: () => Promise<void>;
  readonly counts: () => FaultCounts;
}

/** Whether a fault keeps what a client says from the server. */
export function meetsRequests(fault: Fault): boolean {
  return fault.kind === 'refuse' || fault.kind === 'error' || (fault.kind === 'hang' && fault.done !== true);
}

/** Whether a fault meets what the server answers; one that hangs answers nothing, whenever it was asked. */
export function meetsAnswers(fault: Fault): boolean {
  return fault.kind === 'cut' || fault.kind === 'slow' || fault.kind === 'hang';
}

export class FaultSwitch<Event> {
  readonly counts = { passed: 0, refuse: 0, hang: 0, cut: 0, slow: 0, error: 0 };
  #choose: (event: Event) => Fault | undefined = () => undefined;
  #hit: ((event: Event) => void) | undefined;
  #waiting = new Set<() => void>();

  set(fault: Fault | ((event: Event) => Fault | undefined)): Promise<Event> {
    this.#choose = typeof fault === 'function' ? fault : () => fault;
    this.#release();
    return new Promise((resolve) => {
      this.#hit = resolve;
    });
  }

  clear(): void {
    this.#choose = () => undefined;
    this.#hit = undefined;
    this.#release();
  }

  /** The fault for this event, counted; undefined where it is none of those that `meets`. */
  pick(event: Event, meets: (fault: Fault) => boolean = () => true): Fault | undefined {
    const chosen = this.#choose(event);
    if (chosen === undefined || !meets(chosen)) return undefined;
    this.counts[chosen.kind]++;
    this.#hit?.(event);
    return chosen;
  }

  /** Resolves at the next change of the fault, or after `ms`. */
  changed(ms?: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = ms === undefined ? undefined : setTimeout(done, ms);
      this.#waiting.add(done);
    });
  }

  #release(): void {
    for (const done of [...this.#waiting]) done();
  }
}
