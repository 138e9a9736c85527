/** Copies a job's output files out of the embedded store. Owns no state. */

import { copyFile, mkdir } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { outputField, summarise } from './ui/result-record.js';

type Record_ = Readonly<Record<string, unknown>>;

/** Returns the result with the copies' URLs in place of the store's. URLs that are no files stay as they are. */
export async function copyOutputs(record: Record_, directory: string): Promise<Record<string, unknown>> {
  const { jobId, outputFiles } = summarise(record);
  const urls: string[] = [];
  for (const url of outputFiles) {
    const path = outputPath(url, jobId);
    if (path === undefined) {
      urls.push(url);
      continue;
    }
    const target = join(directory, path);
    await mkdir(dirname(target), { recursive: true });
    await copyFile(fileURLToPath(url), target);
    urls.push(pathToFileURL(target).href);
  }
  return outputFiles.length === 0 ? { ...record } : { ...record, [outputField(record)]: urls };
}

/** The path below the job's `/output`; undefined where the URL is no file of the embedded store. */
export function outputPath(url: string, jobId: string): string | undefined {
  if (!url.startsWith('file:')) return undefined;
  const { pathname } = new URL(url);
  const mark = `/outputs/${jobId}/`;
  // The first one: a function may have put its own id into a path, and two files would be copied to one.
  const at = pathname.indexOf(mark);
  if (at < 0) return undefined;
  // Normalised against a root, so that nothing can lead out of the folder it is copied to.
  return posix.normalize(posix.join('/', decodeURIComponent(pathname.slice(at + mark.length)))).slice(1);
}
