/* A field as tall as its text, where the style sheet alone can't make it so. */

export function grow(input) {
  if (CSS.supports("field-sizing", "content")) return;
  input.style.height = "auto";
  input.style.height = `${input.scrollHeight}px`;
}
