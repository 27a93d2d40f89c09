// The score says why in English sentences; here they are in Vietnamese. What is not in the
// table is shown as the server said it.
import { lang } from "./i18n";

const rows: [RegExp, string][] = [
  [/^its number of civil servants is 0$/, "số CBCCVC ghi là 0"],
  [/^its number of civil servants is not known$/, "chưa biết số CBCCVC"],
  [/^enter its number of civil servants with the date it holds for$/, "nhập số CBCCVC kèm ngày tính"],
  [/^no agent measures its network$/, "chưa có trạm đo trong mạng của cơ quan"],
  [/^its agent has scanned no subnet$/, "trạm đo chưa quét mạng con nào"],
  [/^its agent could ask no address of its subnets$/, "trạm đo chưa hỏi được địa chỉ nào trong mạng con"],
  [/^approve the agent's proposed configuration with a scan of its subnets$/, "duyệt cấu hình do trạm đo đề xuất, có quét mạng con"],
  [/^enrol an agent in its network, or let its router be read by SNMP$/, "ghi danh một trạm đo trong mạng, hoặc cho đọc bộ định tuyến bằng SNMP"],
  [/^only (\d+) % of its addresses × hours were looked at/, "mới xem được $1 % số địa chỉ × giờ"],
  [/^no contracted rate of its links is known$/, "chưa biết tốc độ hợp đồng của các đường truyền"],
  [/^no link of its is registered$/, "chưa đăng ký đường truyền nào"],
  [/^enter the contracted rates of its links$/, "nhập tốc độ hợp đồng của các đường truyền"],
  [/^enter its links with their contracted rates$/, "nhập các đường truyền kèm tốc độ hợp đồng"],
  [/^enter its links and of which kind they are$/, "nhập các đường truyền và loại của chúng"],
  [/^its link is registered, but nothing measures it$/, "đường truyền đã đăng ký nhưng chưa có gì đo"],
  [/^its WAN link is registered, but nothing has measured it within the window$/, "đường WAN đã đăng ký nhưng chưa được đo trong kỳ"],
  [/^let its own agent or a vantage ping the link's router$/, "cho trạm đo tại chỗ hoặc trạm trung tâm ping bộ định tuyến"],
  [/^its declarations have expired and nothing was measured$/, "khai báo đã hết hạn và chưa đo được gì"],
  [/^no solution was measured or declared$/, "chưa có giải pháp nào được đo hoặc khai báo"],
  [/^(\d+) of (\d+) solutions are neither measured nor declared(, some declarations have expired)?$/, "$1 trên $2 giải pháp chưa được đo hoặc khai báo"],
  [/^declare the solutions that cannot be measured, with a document$/, "khai báo các giải pháp không đo được, kèm văn bản"],
  [/^enrol an agent in its network, and declare what cannot be measured$/, "ghi danh một trạm đo trong mạng, và khai báo những gì không đo được"],
  [/^it only groups other agencies and has nothing of its own$/, "đơn vị này chỉ gom các cơ quan khác"],
  [/^enter its civil servants or links if it is an agency itself$/, "nếu là cơ quan, nhập số CBCCVC hoặc đường truyền của nó"],
  [/^no agency is counted here$/, "chưa có cơ quan nào được tính ở đây"],
  [/^enter the agencies$/, "nhập danh sách cơ quan"],
  [/^enter the missing numbers of civil servants, then see the agencies below$/, "nhập số CBCCVC còn thiếu, rồi xem các cơ quan bên dưới"],
  [/^see the agencies below for what each one lacks$/, "xem từng cơ quan bên dưới còn thiếu gì"],
  [/^see the agencies below for what is measured in part$/, "xem các cơ quan bên dưới mới đo được một phần"],
  [/^no agent measures this link.*$/, "chưa có trạm đo nào đo đường truyền này: nhập địa chỉ bộ định tuyến cho trạm trung tâm, hoặc đặt trạm đo tại chỗ"],
];

// The sum's reason is made of parts divided by commas and semicolons.
const parts: [RegExp, string][] = [
  [/^(\d+) of (\d+) agencies are known$/, "đã biết $1 trên $2 cơ quan"],
  [/^(\d+) of them in part$/, "trong đó $1 mới một phần"],
  [/^(\d+) without a number of civil servants$/, "$1 chưa có số CBCCVC"],
  [/^(\d+) not measured$/, "$1 chưa được đo"],
];

const one = (table: [RegExp, string][], text: string): string | undefined => {
  const row = table.find(([r]) => r.test(text));
  return row && text.replace(row[0], row[1]);
};

export function sentence(text: string): string {
  if (lang() !== "vi") return text;
  const whole = one(rows, text);
  if (whole !== undefined) return whole;
  const split = text.split(/, |; /).map((p) => one(parts, p));
  return split.every((p) => p !== undefined) ? split.join("; ") : text;
}
