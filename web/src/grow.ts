/** Lets a field grow with its text where the browser does not know `field-sizing`. */
import type { Attachment } from "svelte/attachments";

const native = CSS.supports("field-sizing", "content");

/** `text` is read so that the height follows it. */
export function grow(text: () => unknown): Attachment<HTMLTextAreaElement> {
  return (field) => {
    if (native) return;
    text();
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight + 2}px`;
  };
}
