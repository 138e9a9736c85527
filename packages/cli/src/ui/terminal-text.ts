/** Makes text that others wrote safe to show on a terminal: colours stay, whatever else a terminal obeys is shown. Owns no state. */

/** A colour or weight (`ESC [ … m`), or any control character but tab, line feed and carriage return. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /\u001b\[[0-9;:]{0,32}m|[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g;
const COLOUR_END = '\u001b[0m';

/** `text` with control characters as `\u001b`, as JSON has them. Colours that it sets end with it. */
export function forTerminal(text: string): string {
  let coloured = false;
  const safe = text.replace(CONTROL, (found) => {
    if (found.length === 1) return `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`;
    coloured = true;
    return found;
  });
  return coloured ? `${safe}${COLOUR_END}` : safe;
}
