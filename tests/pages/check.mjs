// Opens pages of hangup's in Chromium, at two widths, light and dark, and on paper: nothing may appear in
// the console, nothing may be asked for, the page may not be wider than the window, and axe must have
// nothing to say. `node check.mjs PAGE...`; with SHOTS=DIR in the environment, pictures of them too.
import { readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createRequire } from 'node:module';
import puppeteer from 'puppeteer-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
});
const faults = [];
for (const file of process.argv.slice(2)) {
  for (const width of [400, 1400]) {
    for (const scheme of ['light', 'dark']) {
      const at = `${basename(file)}, ${width} pixels, ${scheme}`;
      const page = await browser.newPage();
      const url = pathToFileURL(resolve(file)).href;
      page.on('console', (message) => faults.push(`${at}: console: ${message.text()}`));
      page.on('pageerror', (error) => faults.push(`${at}: ${error}`));
      page.on('request', (request) => request.url() === url || faults.push(`${at}: asks for ${request.url()}`));
      await page.setViewport({ width, height: 900 });
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      await page.goto(url);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      if (wide > width) faults.push(`${at}: ${wide} pixels wide`);
      if (!url.endsWith('.svg')) {
        await page.evaluate(axe);
        // What is folded is looked at too.
        await page.evaluate(() => document.querySelectorAll('details').forEach((one) => (one.open = true)));
        const { violations } = await page.evaluate(() => globalThis.axe.run());
        for (const { id, help, nodes } of violations) {
          faults.push(`${at}: ${id}: ${help}: ${nodes.slice(0, 3).map((node) => node.html).join(' ')}`);
        }
        await page.evaluate(() => document.querySelectorAll('details').forEach((one) => (one.open = false)));
      }
      if (process.env.SHOTS) {
        const path = `${process.env.SHOTS}/${basename(file)}-${width}-${scheme}.png`;
        await page.screenshot({ path, fullPage: !process.env.TOP });
      }
      await page.close();
    }
  }
  if (process.env.SHOTS) {
    const page = await browser.newPage();
    await page.goto(pathToFileURL(resolve(file)).href);
    await page.pdf({ path: `${process.env.SHOTS}/${basename(file)}.pdf`, format: 'A4' });
    await page.close();
  }
}
await browser.close();
console.log(faults.length ? faults.join('\n') : `${process.argv.length - 2} pages: nothing to say`);
process.exit(faults.length ? 1 : 0);
