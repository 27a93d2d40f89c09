// What a problem is called, what caused an outage, and what the person on duty checks next.
import { lang } from "./i18n";
import { sentence } from "./reasons";

type Both = readonly [vi: string, en: string];
const say = (b: Both): string => b[lang() === "vi" ? 0 : 1];

export const CAUSES = ["unknown", "wan-link", "router", "power", "lan", "agent", "far-end", "server", "parent"] as const;

const causes: Record<string, Both> = {
  unknown: ["chưa rõ", "not known yet"],
  "wan-link": ["đường truyền của nhà mạng", "the carrier's line"],
  router: ["bộ định tuyến hoặc modem tại cơ quan", "the office's router or modem"],
  power: ["mất điện tại cơ quan", "no power at the office"],
  lan: ["mạng nội bộ của cơ quan", "the office's own network"],
  agent: ["trạm đo, không phải đường truyền", "the agent, not the line"],
  "far-end": ["thiết bị phía trung tâm", "the far end at the core"],
  server: ["phía máy chủ đo", "the measuring server's side"],
  parent: ["đường truyền phía trên bị mất", "a link above it is down"],
};

// Three steps at most, the cheapest first: a person reads this at night on a phone.
const steps: Record<string, Both[]> = {
  unknown: [
    ["Gọi cơ quan: có điện không, đèn modem và bộ định tuyến thế nào?", "Call the office: is there power, what do modem and router show?"],
    ["Xem các cơ quan cùng huyện, cùng nhà mạng có mất không.", "See whether others of the district or the carrier are down."],
    ["Điện và thiết bị bình thường: báo nhà mạng, ghi số phiếu.", "Power and devices well: call the carrier, note the ticket number."]],
  "wan-link": [
    ["Báo nhà mạng kèm thời điểm bắt đầu; ghi số phiếu vào đây.", "Call the carrier with the start; note the ticket number here."],
    ["Kiểm tra đường dự phòng có đang chạy không.", "See whether the backup carries the office."],
    ["Khi có lại: gửi hồ sơ khiếu nại cho nhà mạng.", "When it is back: send the carrier the dispute pack."]],
  router: [
    ["Nhờ cơ quan xem đèn và dây của bộ định tuyến, modem.", "Have the office look at lights and cables of router and modem."],
    ["Khởi động lại modem một lần, đợi 3 phút.", "Restart the modem once, wait 3 minutes."],
    ["Vẫn mất: mang thiết bị dự phòng tới.", "Still down: bring a spare device."]],
  power: [
    ["Hỏi cơ quan hoặc điện lực: khi nào có điện lại?", "Ask the office or the power company when power is back."],
    ["Có UPS mà vẫn tắt: hẹn kiểm tra ắc quy.", "There is a UPS and it went off all the same: have its battery checked."]],
  lan: [
    ["Đường truyền vẫn tốt: kiểm tra switch và dây nối tới trạm đo.", "The line is well: check the switch and the cable to the agent."],
    ["Hỏi cơ quan có vừa chuyển chỗ, rút dây không.", "Ask whether something was moved or unplugged."]],
  agent: [
    ["Đường truyền vẫn tốt, không cần gọi nhà mạng.", "The line is well: no need to call the carrier."],
    ["Xem máy chạy trạm đo có bật và còn chỗ đĩa không.", "See whether the agent's machine is on and has room on its disk."],
    ["Trên máy đó: hatang-agent status", "On that machine: hatang-agent status"]],
  "far-end": [
    ["Kiểm tra thiết bị tập trung ở trung tâm, cổng của đường này.", "Check the concentrator at the core, the port of this link."],
    ["Nhiều nơi cùng mất: gọi người trực trung tâm dữ liệu.", "Several are down: call the data centre's duty."]],
  server: [
    ["Trạng thái các nơi hiện chưa biết, không phải mất.", "The states are unknown now, not down."],
    ["Kiểm tra mạng và gateway của máy chủ đo.", "Check the measuring server's network and gateway."]],
  parent: [
    ["Xử lý đường phía trên trước; nơi này sẽ được đo lại ngay sau đó.", "See to the link above first; this one is measured again right after it."]],
  degraded: [
    ["Xem đường có đang bị dùng hết băng thông không.", "See whether the line is full."],
    ["Mất gói khi vắng: báo nhà mạng kèm biểu đồ.", "Loss on an idle line: call the carrier with the graph."]],
  unstable: [
    ["Chập chờn: kiểm tra dây, đầu nối, nguồn của modem.", "It flaps: check cable, plugs and the modem's power."],
    ["Báo nhà mạng đo suy hao đường truyền.", "Have the carrier measure the line's attenuation."]],
  unpingable: [
    ["Dữ liệu vẫn chạy: có thể ping bị chặn. Kiểm tra luật tường lửa của bộ định tuyến.", "Data flows: ping may be blocked. Check the router's filter."]],
  backup: [
    ["Cơ quan vẫn chạy bằng đường dự phòng, không khẩn trong đêm.", "The office runs on its backup: not urgent at night."],
    ["Báo nhà mạng của đường chính; theo dõi băng thông dự phòng.", "Call the primary's carrier; watch the backup's load."]],
  certificate: [
    ["Gia hạn chứng thư trước ngày hết hạn; xem trạm đo có gia hạn tự động không.", "Renew it before it ends; see why the agent did not do so by itself."]],
  disk: [
    ["Thêm chỗ đĩa cho máy chủ hoặc giảm thời gian lưu.", "Give the server more disk, or keep less."]],
  peer: [
    ["Xem máy chủ bạn có chạy không, và mạng từ đây tới nó.", "See whether the peer server runs, and the network from here to it."]],
  contract: [
    ["Đo lại ngoài giờ làm việc; xem cổng của bộ định tuyến thiết lập tốc độ nào.", "Test again outside office hours; see what speed the router's port negotiated."],
    ["Đúng là thiếu: gửi số đo kèm khoảng tin cậy cho nhà mạng.", "It is less indeed: send the carrier the figures with their interval."]],
  full: [
    ["Xem giờ cao điểm và máy nào dùng nhiều nhất.", "See the busy hour, and which machine uses most."],
    ["Dùng đúng việc mà vẫn đầy: đề nghị nâng tốc độ.", "It is work, and full all the same: ask for a higher rate."]],
  contradiction: [
    ["Mở trang đường truyền: bốn số liệu đứng cạnh nhau.", "Open the link's page: the four figures stand side by side."],
    ["Xác nhận cổng của đường truyền, hoặc sửa hợp đồng trong danh mục.", "Confirm the link's interface, or correct the contract in the registry."]],
  queue: [
    ["Xem đường truyền của trạm đo có quá chậm không; gói đo vẫn được giữ tại chỗ.", "See whether the agent's line is too slow; packs are kept there."]],
};

interface Kind { state: string; name: Both; steps: string }
const kinds: Record<string, Kind> = {
  "link-down": { state: "DOWN", name: ["Mất kết nối", "Link down"], steps: "unknown" },
  "link-unreachable": { state: "UNREACHABLE", name: ["Không tới được", "Unreachable"], steps: "parent" },
  "link-degraded": { state: "DEGRADED", name: ["Đường truyền suy giảm", "Link degraded"], steps: "degraded" },
  "link-unstable": { state: "DEGRADED", name: ["Đường truyền chập chờn", "Link unstable"], steps: "unstable" },
  "link-unpingable": { state: "DEGRADED", name: ["Không ping được nhưng dữ liệu vẫn chạy", "No ping, but data flows"], steps: "unpingable" },
  "on-backup": { state: "BACKUP", name: ["Đang dùng đường dự phòng", "On its backup"], steps: "backup" },
  "agent-silent": { state: "UNKNOWN", name: ["Trạm đo im lặng", "Agent silent"], steps: "agent" },
  "vantage-blind": { state: "UNKNOWN", name: ["Trạm trung tâm không nhìn thấy mạng", "Vantage blind"], steps: "server" },
  "certificate-expiry": { state: "DEGRADED", name: ["Chứng thư sắp hết hạn", "Certificate expires"], steps: "certificate" },
  "disk-ceiling": { state: "DEGRADED", name: ["Đĩa sắp đầy", "Disk nearly full"], steps: "disk" },
  "peer-silent": { state: "UNKNOWN", name: ["Máy chủ bạn im lặng", "Peer server silent"], steps: "peer" },
  "link-below-contract": { state: "DEGRADED", name: ["Không đủ tốc độ hợp đồng", "Less than contracted"], steps: "contract" },
  "link-saturated": { state: "DEGRADED", name: ["Đường truyền đầy", "Link full"], steps: "full" },
  "link-contradiction": { state: "UNKNOWN", name: ["Số liệu băng thông mâu thuẫn", "Contradicting bandwidth figures"], steps: "contradiction" },
  "queue-growing": { state: "DEGRADED", name: ["Hàng đợi tăng", "Queue grows"], steps: "queue" },
};

export const causeName = (c: string): string => (causes[c] ? say(causes[c]) : c);
export const kindName = (k: string): string => (kinds[k] ? say(kinds[k].name) : k);
export const kindState = (k: string): string => kinds[k]?.state ?? "UNKNOWN";

// What to check: by the cause where it is known, else by what kind of problem it is.
export function nextSteps(kind: string, cause?: string | null): string[] {
  const key = cause && cause !== "unknown" && steps[cause] ? cause : kinds[kind]?.steps ?? "unknown";
  return steps[key].map(say);
}

// Words of the rule that decided a state, where its sentence has no Vietnamese.
const whys: Record<string, string> = {
  never: "chưa từng được đo",
  "agent-away": "trạm đo không còn liên lạc",
  "vantage-blind": "trạm đo không nhìn thấy mạng",
  "server-away": "máy chủ vừa ngừng",
  stale: "số đo đã cũ",
  "interface-down": "cổng của thiết bị bị down",
  answers: "trả lời ping",
  lossy: "mất gói",
  "no-reply": "không trả lời ping",
  "first-silence": "vừa im lặng, chưa kết luận",
  polled: "trả lời SNMP",
  "not-pinged": "không ping được",
  "not-polled": "không hỏi được bằng SNMP",
  "data-flows": "không trả lời ping nhưng dữ liệu vẫn chạy",
  "parent-dead": "đường phía trên đã mất",
  "parent-back": "đường phía trên vừa có lại",
  maintenance: "đang bảo trì",
};

// The sentence where it can be said in Vietnamese, else the word, else as the server said.
export function why(word: string | null | undefined, reason: string): string {
  const said = sentence(reason);
  return lang() === "vi" && said === reason && word && whys[word] ? whys[word] : said;
}
