/** Files on a table: how they are sent, and what is said of them. */
import type { Upload } from "./api";
import { counted, weight } from "./figures";
import type { Material } from "./protocol.gen";

// The server's own bound for one file: a larger one is not read at all, for it would fill this page's memory first.
export const MAX_FILE = 5 * 1024 * 1024;

/** "3.2 MB, 12 pages, cut short". */
export function fileWords({ size, pages, cut }: Pick<Material, "size" | "pages" | "cut">): string {
  return [weight(size), pages > 0 && counted(pages, "page"), cut && "cut short"].filter(Boolean).join(", ");
}

/** Why it is not even sent; empty where it is. */
export function refusal({ name, size }: Pick<File, "name" | "size">): string {
  if (size === 0) return `${name} is empty.`;
  return size > MAX_FILE ? `${name} has ${weight(size)}; at most 5 MiB are taken.` : "";
}

/** A file that is not there any more, or is a folder. */
export class Unreadable extends Error {}

/** The file as it is sent. Rejects with `Unreadable`. */
export function uploadOf(file: File): Promise<Upload> {
  const { promise, resolve, reject } = Promise.withResolvers<Upload>();
  const reader = new FileReader();
  reader.onload = () => resolve({ name: file.name, data: String(reader.result).replace(/^[^,]*,/, "") });
  reader.onerror = () => reject(new Unreadable(`${file.name} cannot be read.`));
  reader.readAsDataURL(file);
  return promise;
}
