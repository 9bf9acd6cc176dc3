/** At most so many at a time; the others wait in line. */
export interface Gate {
  /** Resolves with the way out. Leaving twice is fine. */
  enter(): Promise<() => void>;
}

export function createGate(max: number): Gate {
  let inside = 0;
  const line: (() => void)[] = [];
  const leave = () => {
    const next = line.shift();
    if (next) next();
    else inside--;
  };
  return {
    async enter() {
      if (inside < max) inside++;
      else await new Promise<void>(resolve => line.push(resolve));
      let left = false;
      return () => {
        if (!left) leave();
        left = true;
      };
    },
  };
}
