// Drive the bandwidth and WAN sections in Debian's Chromium: node bandwidth.mjs BASE PASSWORD SHOTS
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
const want = (is, what) => { if (!is) throw new Error(what); };
const shot = (page, name) => page.screenshot({ path: `${shots}/${name}.png`, fullPage: true });

try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, locale: "vi-VN", timezoneId: "Asia/Ho_Chi_Minh", colorScheme: "light" });
  page.setDefaultTimeout(20000);
  page.on("pageerror", (e) => problems.push(`page error: ${e.message}`));
  page.on("console", (m) => { if (m.type() === "error" && !/40[14]/.test(m.text())) problems.push(`console: ${m.text()}`); });
  await page.goto(base + "/#/link/huyen-wan");
  await page.getByLabel("Tài khoản").fill("admin");
  await page.getByLabel("Mật khẩu").fill(password);
  await page.getByRole("button", { name: "Đăng nhập" }).click();

  const section = page.locator("[data-bandwidth]");
  await section.locator('[data-way="down"] [data-figure="used"]').waitFor();
  const length = (way, what) => section.locator(`[data-way="${way}"] [data-figure="${what}"] rect`).first().evaluate((r) => r.getBBox().width);
  const [contracted, negotiated, measured, used] = await Promise.all(["contracted", "negotiated", "measured", "used"].map((k) => length("down", k)));
  for (const [name, got, share] of [["contracted", contracted, 0.5], ["measured", measured, 0.21], ["used", used, 0.05]])
    want(Math.abs(got / negotiated - share) < 0.02, `${name} takes ${got / negotiated} of the negotiated rate's bar, not ${share}`);
  const text = await section.innerText();
  for (const word of ["Hợp đồng", "Thiết lập", "Sử dụng", "21 Mbit/s", "100 Mbit/s", "chiều xuống: đo được 21 Mbit/s trong 50 Mbit/s hợp đồng", "yêu cầu nhà mạng cấp đúng tốc độ"])
    want(text.includes(word), `the section does not say "${word}": ${text}`);
  want((await section.locator('[data-way="down"] path.bw-mark').count()) >= 1, "the interval of the test is not drawn");
  await shot(page, "bandwidth-vi");
  console.log("ok the four figures of a link that a test contradicts");

  await page.getByRole("button", { name: "6 giờ" }).click();
  const smoke = page.locator("[data-smoke]");
  await smoke.locator("g[data-part]").first().waitFor();
  want((await smoke.locator("g[data-part]").count()) >= 12, "the smoke graph does not draw three hours");
  const band = (name) => smoke.locator(`g[data-part] .${name}`).first().evaluate((r) => r.getBBox().height);
  want((await band("smoke-wide")) >= (await band("smoke-half")), "the band of 90 % is narrower than that of a half");
  want((await smoke.locator(".smoke-loss").count()) >= 1, "loss is not marked");
  console.log("ok the smoke graph");

  const wan = page.locator("section[data-wan]");
  want((await wan.getAttribute("data-wan")) === "no", "the link over the Internet counts as connected");
  const why = await wan.innerText();
  for (const word of ["Không kết nối", "đường truyền huyen-wan trả lời, nhưng lưu lượng đi qua Internet", "203.0.113.1"])
    want(why.includes(word), `the WAN section does not say "${word}": ${why}`);
  await wan.locator("button.link").last().click();
  await page.getByRole("dialog").getByText("path/huyen-wan/network").waitFor();
  await page.keyboard.press("Escape");
  console.log("ok not connected, down to the row that says so");

  await page.goto(base + "/#/link/xa-wan");
  const unknown = section.locator('[data-way="down"] [data-figure="measured"][data-status="unknown"]');
  await unknown.waitFor();
  want((await unknown.locator("rect").getAttribute("fill")) === "url(#p-unknown)", "what is unknown is not hatched");
  const says = await section.innerText();
  want(says.includes("CHƯA BIẾT") && says.includes("chưa có lần đo tốc độ nào") && says.includes("ghi danh một trạm đo tại cơ quan"), `the unknown figure does not say why: ${says}`);
  want((await section.locator("[data-days=down] g[data-kind]").count()) >= 1, "the month is not drawn day by day");
  want((await section.locator("[data-findings]").count()) === 0, "findings where nothing contradicts");
  await shot(page, "bandwidth-unknown-vi");
  console.log("ok what the vantage alone does not know");

  await page.goto(base + "/#/agency/xa");
  await page.locator('section[data-wan="yes"]').getByText("Có kết nối").first().waitFor();
  await page.locator("[data-lang-switch]").click();
  await page.locator('section[data-wan="yes"]').getByRole("heading", { name: "Connected to the WAN" }).waitFor();
  want((await page.locator('section[data-wan="yes"] .answer').first().innerText()).endsWith("Connected"), "the answer is not in English");
  await shot(page, "wan-en");
  console.log("ok the agency's conclusion, in both languages");

  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(base + "/#/link/huyen-wan");
  await section.getByText("21 Mbit/s were measured of the 50 Mbit/s contracted").waitFor();
  await section.locator('[data-way="up"] [data-figure="used"]').waitFor();
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  want(wide <= 1, `the page is ${wide} px wider than the phone`);
  await shot(page, "bandwidth-phone-en");
  console.log("ok on a phone");
  want(problems.length === 0, problems.join("\n"));
} catch (e) {
  console.error(String(e.stack ?? e), problems.join("\n"));
  process.exitCode = 1;
} finally {
  await browser.close();
}
