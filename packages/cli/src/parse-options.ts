/** Parsers of option values, strict: what does not fit is refused, never replaced by a default. Owns no state. */

import { InvalidArgumentError } from 'commander';

/** A parser for whole numbers from `minimum` on. */
export function wholeNumber(minimum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < minimum) {
      throw new InvalidArgumentError(`It must be a whole number from ${minimum} on.`);
    }
    return value;
  };
}

/** A parser for numbers from `minimum` on. */
export function amount(minimum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+(\.\d+)?(e-?\d+)?$/i.test(text) || !Number.isFinite(value) || value < minimum) {
      throw new InvalidArgumentError(`It must be a number from ${minimum} on.`);
    }
    return value;
  };
}

/** A parser for several whole numbers with commas between them. */
export function wholeNumbers(minimum: number): (text: string) => readonly number[] {
  return (text) => text.split(',').map((part) => wholeNumber(minimum)(part.trim()));
}

/** The same for numbers of any kind. */
export function amounts(minimum: number): (text: string) => readonly number[] {
  return (text) => text.split(',').map((part) => amount(minimum)(part.trim()));
}

/** A number above 0, fractions allowed, up to a day's seconds. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value <= 0 || value > 86_400) {
    throw new InvalidArgumentError('It must be a number above 0, up to 86400.');
  }
  return value;
}

/** `file.function`. */
export function handlerName(text: string): string {
  if (!/^[^\s.][^\s]*\.[^\s.]+$/.test(text)) {
    throw new InvalidArgumentError('It must be FILE.FUNCTION, for instance main.handler.');
  }
  return text;
}

/** An id as the contract has it. */
export function id(text: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(text)) {
    throw new InvalidArgumentError('It must be letters, digits, ".", "_" and "-", at most 128, the first no sign.');
  }
  return text;
}
