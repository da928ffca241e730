/** How a service is told from others: one of eight colours, and a letter for those who see no colours. */
export interface ServiceMark {
  readonly colour: number;
  readonly letter: string;
}

export const SERVICE_COLOURS = 8;
const LETTERS = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"];

/** The first letter of the service's name that is still free, else any; with more than 36 services, `+`. */
export function markServices(services: readonly string[]): ReadonlyMap<string, ServiceMark> {
  const marks = new Map<string, ServiceMark>();
  const taken = new Set<string>();
  for (const service of services) {
    if (marks.has(service)) continue;
    const own = [...service.slice(0, 64).toUpperCase()].filter((letter) => LETTERS.includes(letter));
    const letter = [...own, ...LETTERS].find((one) => !taken.has(one)) ?? "+";
    taken.add(letter);
    marks.set(service, { colour: marks.size % SERVICE_COLOURS, letter });
  }
  return marks;
}
