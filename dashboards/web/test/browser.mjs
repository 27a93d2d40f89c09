// Drive the pages in Debian's Chromium: node browser.mjs BASE PASSWORD SHOTS
// Prints one line "ok <step>" a step; any failure ends it with a message and code 1.
import { chromium } from "playwright-core";
import { mkdirSync } from "node:fs";

const [base, password, shots] = process.argv.slice(2);
mkdirSync(shots, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const problems = [];
const fail = (what) => { throw new Error(what); };
const want = (is, what) => is || fail(what);

try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, locale: "vi-VN", colorScheme: "light" });
  page.setDefaultTimeout(20000);
  page.on("pageerror", (e) => problems.push(`page error: ${e.message}`));
  // 401 before the login is how the page learns that nobody is logged in.
  page.on("console", (m) => { if (m.type() === "error" && !m.text().includes("401")) problems.push(`console: ${m.text()}`); });
  page.on("request", (r) => { if (!r.url().startsWith(base) && !r.url().startsWith("data:")) problems.push(`outside request: ${r.url()}`); });

  await page.goto(base + "/");
  await page.getByLabel("Tài khoản").fill("admin");
  await page.getByLabel("Mật khẩu").fill("wrong password");
  await page.getByRole("button", { name: "Đăng nhập" }).click();
  await page.getByRole("alert").waitFor();
  problems.splice(0);	// the browser logs the refused login
  console.log("ok wrong password is refused");

  await page.getByLabel("Mật khẩu").fill(password);
  await page.getByRole("button", { name: "Đăng nhập" }).click();
  await page.getByRole("heading", { level: 1, name: /UBND tỉnh Lào Cai/ }).waitFor();
  want((await page.locator(".values article").count()) === 4, "the overview does not have four values");
  want((await page.locator("html").getAttribute("lang")) === "vi", "the page does not say that it is Vietnamese");
  await page.getByText("Máy tính / CBCCVC").first().waitFor();
  const unknown = page.locator('article[data-indicator="security"]');
  want((await unknown.getAttribute("data-status")) === "unknown", "security is not shown as unknown");
  want((await unknown.innerText()).includes("CHƯA BIẾT"), "the unknown value does not say so");
  want((await unknown.innerText()).includes("xem từng cơ quan bên dưới còn thiếu gì"), "the unknown value has no cure in Vietnamese");
  want((await page.locator('tr[data-agency="bat-xat"]').innerText()).includes("0,86"), "Bát Xát's value is not in the table");
  await page.screenshot({ path: `${shots}/overview-vi.png`, fullPage: true });
  console.log("ok overview in Vietnamese");

  await page.getByRole("button", { name: /Huyện Bát Xát/ }).click();
  await page.locator('tr[data-agency="y-ty"]').waitFor();
  want((await page.locator('tr[data-agency="y-ty"]').innerText()).includes("Mất kết nối"), "Y Tý is not shown as down");
  await page.getByRole("searchbox").fill("ta van");
  await page.locator('tr[data-agency="ta-van"]').waitFor();
  want((await page.locator("tr[data-agency]").count()) === 1, "searching without marks does not find one agency");
  await page.getByRole("searchbox").fill("");
  console.log("ok tree and search");

  await page.locator("[data-lang-switch]").click();
  await page.getByText("Computers per civil servant").first().waitFor();
  want((await page.locator("html").getAttribute("lang")) === "en", "the language attribute did not change");
  want((await unknown.innerText()).includes("UNKNOWN"), "the unknown value is not in English");
  console.log("ok switched to English");

  await page.locator('article[data-indicator="computers"]').getByRole("button", { name: /Explain/ }).click();
  await page.locator("[data-evidence] button").first().click();
  await page.getByText("icmp/bat-xat-wan/rtt_avg").or(page.getByText("Huyện Bát Xát")).first().waitFor();
  await page.screenshot({ path: `${shots}/explain-en.png` });
  await page.keyboard.press("Escape");
  console.log("ok explanation down to a journal row");

  await page.goto(base + "/#/agency/bat-xat");
  await page.locator('article[data-link="bat-xat-wan"]').waitFor();
  await page.locator('tr[data-machine="m00"]').waitFor();
  await page.locator('tr[data-agent="bat-xat-1"]').waitFor();
  await page.getByText("nftables, 14 rules, policy drop").first().waitFor();
  await page.screenshot({ path: `${shots}/agency-en.png`, fullPage: true });
  console.log("ok agency page");

  await page.goto(base + "/#/agents");
  await page.locator('tr[data-agent="bat-xat-1"]').getByRole("button", { name: "Review" }).click();
  want((await page.locator("textarea").inputValue()).includes("192.168.10.0/24"), "the proposal is not shown");
  await page.keyboard.press("Escape");
  await page.locator("form.row select").first().selectOption("bat-xat");
  await page.getByRole("button", { name: "Make a token" }).click();
  await page.locator(".copy code").waitFor();
  want((await page.locator(".copy code").innerText()).startsWith(`hatang-agent enroll --server ${base} --token `), "no enrol command");
  await page.screenshot({ path: `${shots}/agents-en.png`, fullPage: true });
  console.log("ok agents page and token");

  await page.setViewportSize({ width: 390, height: 800 });
  await page.getByRole("button", { name: "Light / dark" }).click();
  await page.goto(base + "/#/");
  await page.locator(".values article").first().waitFor();
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  want(wide <= 1, `the page is ${wide} px wider than a phone`);
  await page.screenshot({ path: `${shots}/phone-dark.png`, fullPage: true });
  console.log("ok phone, dark");

  await page.setViewportSize({ width: 1280, height: 900 });
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByRole("button", { name: "Log in" }).waitFor();
  console.log("ok logged out");
  want(problems.length === 0, problems.join("\n"));
} catch (e) {
  console.error(`FAILED: ${e.message}\n${problems.join("\n")}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}
