'use strict';
// Every sentence of the page, in both languages.
const WORDS = {
  zh: {
    title: '私域沙盒', subtitle: '一台手机、一个时钟、一个在本机运行的微信：什么都不会发给真人。', console: '运营后台', docs: '接口文档', lang: 'English',
    steps: '五步走完一圈', tabChat: '公众号', tabMini: '小程序', tabNote: '服务通知', brand: '示例品牌', brandAbout: '关注后可以签到、答题、领积分。',
    follow: '关注', textHint: '发消息，比如：签到', send: '发送', miniName: '会员中心', balance: '我的积分', login: '登录', register: '注册会员', checkin: '签到',
    ledger: '积分明细', quizzes: '今日问答', accepts: '订阅消息（点一次，允许发一次）', clock: '时钟', hour: '+1 小时', day: '+1 天', wednesday: '周三 10:00', tick: '让时钟走',
    person: '这台手机是谁的', nameHint: '名字', create: '新建', poster: '扫海报', scan: '扫一扫', unfollow: '取消关注', frozen: '静止', ticking: '走动',
    chats: '微信群', chatHint: '群名，比如：妆一', bindHint: '绑定码（可不填）', chatEnter: '从群进小程序', chatNew: '已从群进入：', chatOld: '今天已经计过：',
    s1: '扫海报关注', s2: '在小程序里注册', s3: '发送「签到」', s4: '看积分明细和它的规则', s5: '拨到周三 10:00，看群发消息', go: '去做', done: '完成',
    arrived: '收到了消息：', nothing: '没有收到消息。原因在运营后台的群发页：', broadcasts: '查看群发', member: '会员', guest: '未注册', out: '未登录',
    noEntries: '还没有积分。', noQuiz: '现在没有开放的问答。', noNotes: '还没有通知。', noApi: '这里没有会员接口：请在 siyu 的地址上打开本页。', rule: '规则', accepted: '已允许',
    openid: '公众号 openid', unionid: 'unionid', phone: '手机号', moving: '正在把到期的事逐件办完…', left: '已取消关注。', nobody: '先新建一个人', balanceAfter: '余额', manual: '无规则', chooseFirst: '请先新建或选择一个人。',
    reply: '回复', custom: '客服消息', mass: '群发', preview: '预览', template: '模板消息', subscribe: '订阅消息', system: '微信提示', registered: '注册成功，并允许每种订阅消息发一次。', ok: '好了', answered: '已作答',
  },
  en: {
    title: 'siyu sandbox', subtitle: 'A phone, a clock and a WeChat that runs on this machine: nothing reaches real people.', console: 'Console', docs: 'API', lang: '中文',
    steps: 'Once around in five steps', tabChat: 'Account', tabMini: 'Mini-program', tabNote: 'Notices', brand: 'Demo brand', brandAbout: 'Follow it to check in, answer quizzes and collect points.',
    follow: 'Follow', textHint: 'Write something, such as 签到', send: 'Send', miniName: 'Member centre', balance: 'My points', login: 'Log in', register: 'Register', checkin: 'Check in',
    ledger: 'Ledger', quizzes: 'Quizzes', accepts: 'Subscribe messages (one tap allows one)', clock: 'Clock', hour: '+1 hour', day: '+1 day', wednesday: 'Wednesday 10:00', tick: 'Let it tick',
    person: 'Whose phone this is', nameHint: 'Name', create: 'Create', poster: 'Scan a poster', scan: 'Scan', unfollow: 'Unfollow', frozen: 'standing', ticking: 'ticking',
    chats: 'Group chat', chatHint: 'Name of the chat', bindHint: 'Bind code (optional)', chatEnter: 'Open from the chat', chatNew: 'Opened from the group: ', chatOld: 'Counted today already: ',
    s1: 'Scan the poster', s2: 'Register in the mini-program', s3: 'Send 签到', s4: 'See the ledger line and its rule', s5: 'Press "Wednesday 10:00" and see the message', go: 'Do it', done: 'Done',
    arrived: 'A message arrived: ', nothing: 'No message arrived. The reason stands in the console: ', broadcasts: 'open broadcasts', member: 'member', guest: 'not registered', out: 'not logged in',
    noEntries: 'No points yet.', noQuiz: 'No quiz is open now.', noNotes: 'No notices yet.', noApi: 'There is no member API here: open this page on the address of siyu.', rule: 'Rule', accepted: 'allowed',
    openid: 'openid', unionid: 'unionid', phone: 'phone', moving: 'Doing what falls due, one by one…', left: 'Unfollowed.', nobody: 'create a person first', balanceAfter: 'balance', manual: 'no rule', chooseFirst: 'Create or choose a person first.',
    reply: 'reply', custom: 'customer message', mass: 'mass send', preview: 'preview', template: 'template message', subscribe: 'subscribe message', system: 'WeChat', registered: 'Registered, and one message of each template is allowed.', ok: 'Done', answered: 'answered',
  },
};
let lang = localStorage.getItem('sandbox.lang') || (navigator.language.startsWith('zh') ? 'zh' : 'en');
const t = (key) => WORDS[lang][key] || key;
