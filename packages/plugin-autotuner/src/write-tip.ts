/** Says an advice in one sentence of the reader's language. Owns no state. */

import type { Advice } from './advise.js';

const MIB = 2 ** 20;

/** Languages that tips are written in. */
export const LOCALES = ['en', 'ko'] as const;
export type Locale = (typeof LOCALES)[number];

interface Words {
  lower(now: string, then: string, peak: string, samples: string, saved: string): string;
  perMonth(money: string): string;
  perMillion(money: string): string;
  raise(now: string, then: string, reason: string): string;
  /** In mode `apply`: what is done already, or again. */
  lowered(now: string, then: string, peak: string, samples: string, saved: string): string;
  raised(now: string, then: string, reason: string): string;
  withdrawn(now: string, reason: string): string;
  largest(now: string, reason: string): string;
  killed(at: string): string;
  near(peak: string): string;
}

const WORDS: Readonly<Record<Locale, Words>> = {
  en: {
    lower: (now, then, peak, samples, saved) =>
      `Lower the memory limit from ${now} to ${then}: the function needs at most ${peak}, by ${samples} runs, and this saves about ${saved}.`,
    perMonth: (money) => `${money} a month`,
    perMillion: (money) => `${money} per million runs`,
    raise: (now, then, reason) => `Raise the memory limit from ${now} to ${then}: ${reason}.`,
    lowered: (now, then, peak, samples, saved) =>
      `The function now gets ${then} of memory instead of ${now}: it needs at most ${peak}, by ${samples} runs, and this saves about ${saved}.`,
    raised: (now, then, reason) => `The function now gets ${then} of memory instead of ${now}: ${reason}.`,
    withdrawn: (now, reason) => `The function gets its own ${now} of memory again: ${reason}.`,
    largest: (now, reason) =>
      `Make the function hold less in memory, since no size above ${now} is allowed: ${reason}.`,
    killed: (at) => `the function was killed for want of memory at ${at}`,
    near: (peak) => `the function needs up to ${peak}, which leaves less than 10 % free`,
  },
  ko: {
    lower: (now, then, peak, samples, saved) =>
      `메모리 한도를 ${now}에서 ${then}로 낮추세요: 실행 ${samples}회 기준으로 함수는 최대 ${peak}를 사용하며, ${saved}를 절약할 수 있습니다.`,
    perMonth: (money) => `월 약 ${money}`,
    perMillion: (money) => `실행 100만 회당 약 ${money}`,
    raise: (now, then, reason) => `메모리 한도를 ${now}에서 ${then}로 높이세요: ${reason}.`,
    lowered: (now, then, peak, samples, saved) =>
      `이제 함수에 ${now} 대신 ${then} 메모리가 할당됩니다: 실행 ${samples}회 기준으로 함수는 최대 ${peak}를 사용하며, ${saved}를 절약할 수 있습니다.`,
    raised: (now, then, reason) => `이제 함수에 ${now} 대신 ${then} 메모리가 할당됩니다: ${reason}.`,
    withdrawn: (now, reason) => `함수에 원래 한도인 ${now} 메모리가 다시 할당됩니다: ${reason}.`,
    largest: (now, reason) => `${now}보다 큰 크기는 허용되지 않으므로 함수의 메모리 사용량을 줄이세요: ${reason}.`,
    killed: (at) => `함수가 ${at} 한도에서 메모리 부족으로 강제 종료되었습니다`,
    near: (peak) => `함수가 최대 ${peak}를 사용하여 여유가 10 % 미만입니다`,
  },
};

/** What is done without the reader. */
export interface Applies {
  readonly lowers: boolean;
  readonly raises: boolean;
}

/** Undefined where there is nothing to change, or to know. */
export function writeTip(advice: Advice, locale: Locale, applies: Applies): string | undefined {
  const { verdict, memoryMb, recommendedMemoryMb, killedAtMb, maxPeakBytes } = advice;
  const words = WORDS[locale];
  const now = size(memoryMb);
  if (verdict === 'raise') {
    const wasKilled = killedAtMb !== undefined && killedAtMb >= memoryMb;
    const reason = wasKilled ? words.killed(size(killedAtMb)) : words.near(size(maxPeakBytes / MIB));
    if (recommendedMemoryMb === undefined) return words.largest(size(wasKilled ? killedAtMb : memoryMb), reason);
    return words[applies.raises ? 'raised' : 'raise'](now, size(recommendedMemoryMb), reason);
  }
  if (verdict === 'withdrawn') return words.withdrawn(now, words.killed(size(killedAtMb ?? 0)));
  if (verdict !== 'lower' || recommendedMemoryMb === undefined) return undefined;
  const { samples, savingPerMonth, savingPerMillionRuns = 0, currency = '' } = advice;
  const saved =
    savingPerMonth === undefined
      ? words.perMillion(money(savingPerMillionRuns, currency))
      : words.perMonth(money(savingPerMonth, currency));
  const then = size(recommendedMemoryMb);
  const peak = size(maxPeakBytes / MIB);
  return words[applies.lowers ? 'lowered' : 'lower'](now, then, peak, grouped(samples), saved);
}

/** `12,345`. Each job has a tip, and `Intl` would take longer than all the rest of it. */
function grouped(count: number): string {
  return `${count}`.replace(/\B(?=(?:\d{3})+$)/g, ',');
}

function size(mib: number): string {
  return `${Math.ceil(mib)} MiB`;
}

/** Two decimals, or two digits where that would be nothing. */
function money(amount: number, currency: string): string {
  const digits = amount >= 0.1 || amount === 0 ? amount.toFixed(2) : Number(amount.toPrecision(2)).toString();
  return `${digits} ${currency}`;
}
