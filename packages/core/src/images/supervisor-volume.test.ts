import { expect, test } from 'vitest';
import { installerSpec } from './supervisor-volume.js';

test('the container that installs the supervisor has the posture of the golden record', async () => {
  const spec = installerSpec('<image>', '<volume>');
  const golden = new URL('../../../../tests/golden/posture-installer.json', import.meta.url).pathname;
  await expect(`${JSON.stringify(spec, undefined, 2)}\n`).toMatchFileSnapshot(golden);
});
