/** Numbers as they are shown: each with its unit, none more exact than it is useful. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** 5:31, or 1:05:31 from an hour on. */
export function clock(seconds: number): string {
  const total = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  const tail = String(rest).padStart(2, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

/** 40 s, 6 min, 1 h 20 min. */
export function span(seconds: number): string {
  if (seconds < 59.5) return `${Math.max(0, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function count(number: number): string {
  return whole.format(number);
}

/** "1 turn", "3 turns". */
export function counted(number: number, noun: string): string {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}

export function dollars(amount: number): string {
  if (amount > 0 && amount < 0.01) return `$${amount.toFixed(4).replace(/0+$/, "")}`;
  return `$${amount.toFixed(2)}`;
}

/** What was spent, honest about turns whose price is unknown. */
export function spending(amount: number, unpriced: number): string {
  if (unpriced === 0) return dollars(amount);
  return amount === 0 ? "price unknown" : `≥ ${dollars(amount)}`;
}

/** "now", "4 minutes ago", "yesterday", "Tuesday", "3 March". `at` and `now` in Unix seconds. */
export function ago(at: number, now: number): string {
  const seconds = Math.max(0, now - at);
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${counted(Math.floor(seconds / 60), "minute")} ago`;
  const days = calendarDays(at, now);
  if (days === 0) return `${counted(Math.floor(seconds / 3600), "hour")} ago`;
  if (days === 1) return "yesterday";
  const date = new Date(at * 1000);
  if (days < 7) return date.toLocaleDateString("en", { weekday: "long" });
  const sameYear = date.getFullYear() === new Date(now * 1000).getFullYear();
  return date.toLocaleDateString("en-GB", { day: "numeric", month: "long", ...(!sameYear && { year: "numeric" }) });
}

function calendarDays(at: number, now: number): number {
  const midnight = (seconds: number) => new Date(seconds * 1000).setHours(0, 0, 0, 0);
  return Math.round((midnight(now) - midnight(at)) / 86_400_000);
}

/** The date and time in full, for a title. */
export function stamp(at: number): string {
  return new Date(at * 1000).toLocaleString("en-GB", { dateStyle: "full", timeStyle: "medium" });
}

/** 812 B, 34 kB, 3.2 MB: in thousands, as file managers show it. */
export function weight(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 999_500) return `${whole.format(bytes / 1000)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
