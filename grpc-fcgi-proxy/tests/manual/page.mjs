// Opens a page in Chromium and fails unless it comes to show a text: page.mjs URL TEXT
import { chromium } from "playwright-core";

const patience = 30_000;
const [url, expected] = process.argv.slice(2);
const said = [];
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium" });
try {
  const page = await browser.newPage();
  page.on("console", (message) => said.push(message.text()));
  page.on("pageerror", (error) => said.push(error.message));
  await page.goto(url, { timeout: patience });
  const shown = () => page.innerText("body");
  await page
    .waitForFunction((text) => document.body.innerText.trim() === text, expected.trim(), { timeout: patience })
    .catch(async () => {
      process.exitCode = 1;
      console.error(`${url} shows:\n${await shown()}\nThe browser says:\n${said.join("\n")}`);
    });
} finally {
  await browser.close();
}
