/** Helpers for plain data objects, as JSON, YAML and object literals give them. Owns no state. */

/** A plain object: neither an array nor an instance of a class. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  // Objects of another realm (a `vm` context) have that realm's Object.prototype: its own prototype is null.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Copies plain objects and arrays through and through, leaving out undefined members; anything else is kept as it is. */
export function clonePlain<T>(value: T): T {
  if (Array.isArray(value)) return value.map(clonePlain) as T;
  if (!isPlainObject(value)) return value;
  const entries = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(entries.map(([key, member]) => [key, clonePlain(member)])) as T;
}

/** Freezes plain objects and arrays through and through; instances of classes are left alone. */
export function deepFreeze<T>(value: T): T {
  if (Array.isArray(value)) value.forEach(deepFreeze);
  else if (isPlainObject(value)) Object.values(value).forEach(deepFreeze);
  else return value;
  return Object.freeze(value);
}
