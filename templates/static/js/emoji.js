/* A small table of emoji, for completion and picking: what people use, with English and Chinese words for it; the
   first word is the name. Other emoji come from the keyboard or the system as ever. */

const TABLE = `
😀 grin happy 笑 开心 | 😄 smile happy 笑 高兴 | 😂 joy laugh lol 笑哭 哈哈 | 🤣 rofl laugh 笑死 哈哈
🙂 slight_smile 微笑 | 😉 wink 眨眼 | 😊 blush smile 害羞 微笑 | 😍 heart_eyes love 喜欢 爱心眼 | 😘 kiss 亲亲 飞吻
😎 cool sunglasses 酷 墨镜 | 🤩 star_struck wow 崇拜 哇 | 🥳 party celebrate 庆祝 派对 | 🤔 thinking hmm 思考 想
🤨 raised_eyebrow 怀疑 | 😐 neutral 无语 | 🙄 eye_roll 白眼 | 😏 smirk 得意 | 😴 sleeping 睡 困 | 🤤 drool 流口水 馋
😅 sweat_smile 汗 尴尬 | 😬 grimace 尴尬 | 😇 innocent angel 天使 | 🤗 hug 抱 拥抱 | 🤫 shush quiet 嘘
🤐 zipper_mouth 闭嘴 | 😢 cry sad 哭 难过 | 😭 sob cry 大哭 | 😤 triumph huff 哼 | 😠 angry 生气 | 😡 rage 愤怒
🤯 mind_blown 震惊 爆炸 | 😱 scream 惊恐 天啊 | 😨 fearful 害怕 | 😳 flushed 脸红 | 🥺 pleading 可怜 求
😷 mask sick 口罩 | 🤒 fever sick 发烧 病 | 🤢 nauseated 恶心 | 🥱 yawn 哈欠 | 😋 yum 好吃 | 😜 crazy tongue 调皮
🫡 salute 敬礼 收到 | 🫠 melting 融化 | 🤷 shrug 摊手 不知道 | 🤦 facepalm 捂脸 | 🙈 see_no_evil monkey 不看 猴
👍 +1 thumbsup yes ok 赞 好 同意 | 👎 -1 thumbsdown no 踩 不好 | 👌 ok_hand 好的 没问题 | ✌️ victory peace 耶 胜利
🤞 fingers_crossed luck 祈祷 好运 | 👏 clap applause 鼓掌 掌声 | 🙌 raised_hands hooray 万岁 太好了
🙏 pray thanks please 谢谢 拜托 合十 | 💪 muscle strong 加油 强 | 👋 wave hi bye 你好 再见 挥手
🤝 handshake deal 握手 合作 | 👀 eyes look 看 围观 | 👇 point_down 下面 | 👆 point_up 上面 | 👉 point_right 右
✋ hand stop 举手 停 | ✍️ writing 写 | 🫶 heart_hands 比心 | ❤️ heart love 爱 心 | 🧡 orange_heart 橙心
💛 yellow_heart 黄心 | 💚 green_heart 绿心 | 💙 blue_heart 蓝心 | 💜 purple_heart 紫心 | 🖤 black_heart 黑心
💔 broken_heart 心碎 | 💯 100 perfect 满分 完美 | 💥 boom 爆炸 | 💫 dizzy 晕 | ⭐ star 星 | ✨ sparkles 闪亮
🔥 fire hot 火 | 🎉 tada party congratulations 庆祝 恭喜 | 🎂 cake birthday 生日 蛋糕 | 🎁 gift present 礼物
🎈 balloon 气球 | 🏆 trophy win 奖杯 冠军 | 🥇 gold medal 金牌 | 🎯 target dart 目标
🚀 rocket ship launch 火箭 上线 发布 | ✅ check done yes 完成 对 | ☑️ ballot_check 勾选 | ❌ x no wrong 错 不
❗ exclamation 感叹 | ❓ question 问 | ⚠️ warning 警告 注意 | 🚨 siren alert 警报 | 🛑 stop 停止
🚧 construction wip 施工 | ⏳ hourglass wait 等 沙漏 | ⏰ alarm clock 闹钟 | 📅 calendar date 日历
📌 pin 图钉 置顶 | 📎 paperclip 附件 | 📝 memo note 笔记 | 📖 book 书 | 📈 chart_up growth 上涨 增长
📉 chart_down 下跌 | 📊 bar_chart 图表 | 📣 megaphone announce 公告 | 🔔 bell 铃 通知 | 🔕 no_bell mute 静音
🔍 search find 搜索 找 | 🔗 link 链接 | 🔒 lock 锁 | 🔑 key 钥匙 | 🔧 wrench fix 修 | 🔨 hammer build 锤
⚙️ gear settings 设置 齿轮 | 🐛 bug 虫 缺陷 | 🧪 test_tube experiment 测试 实验 | 🧹 broom clean 打扫 清理
♻️ recycle refactor 回收 重构 | 💡 bulb idea 想法 灵感 | 💻 laptop computer 电脑 | 🖥️ desktop 台式
📱 phone mobile 手机 | 📷 camera photo 相机 照片 | 🎧 headphones music 耳机 | 🎵 music note 音乐 | 🎮 game 游戏
🎬 movie clapper 电影 | 🎨 art design 设计 画 | 💰 money 钱 | 💸 money_wings 花钱 | 🧧 red_envelope 红包
🏮 lantern 灯笼 | 🐉 dragon 龙 | 🐼 panda 熊猫 | 🐱 cat 猫 | 🐶 dog 狗 | 🐰 rabbit 兔 | 🐷 pig 猪 | 🐴 horse 马
🐢 turtle slow 龟 慢 | 🐌 snail slow 蜗牛 慢 | 🦄 unicorn 独角兽 | 🐧 penguin linux 企鹅 | 🐍 snake python 蛇
🐳 whale docker 鲸 | 🦀 crab rust 螃蟹 | 🐝 bee 蜜蜂 | 🦋 butterfly 蝴蝶 | 🌱 seedling 发芽 | 🌲 tree 树
🌸 blossom 樱花 花 | 🌹 rose 玫瑰 | 🌻 sunflower 向日葵 | 🍀 clover luck 四叶草 幸运 | ☀️ sun 太阳 晴
🌙 moon night 月亮 晚安 | ☁️ cloud 云 | 🌧️ rain 雨 | ❄️ snow 雪 | ⚡ zap fast 闪电 快 | 🌈 rainbow 彩虹
🌍 earth world 地球 | ☕ coffee 咖啡 | 🍵 tea 茶 | 🍺 beer 啤酒 | 🍻 cheers 干杯 | 🍷 wine 红酒 | 🍕 pizza 披萨
🍔 burger 汉堡 | 🍜 noodles ramen 面 | 🍚 rice 米饭 | 🥟 dumpling 饺子 | 🍲 hotpot 火锅 | 🍎 apple 苹果
🍉 watermelon 西瓜 吃瓜 | 🍰 shortcake 蛋糕 | 🍪 cookie 饼干 | 🏠 home house 家 | 🏢 office 办公室 | 🚗 car 车
🚲 bike 自行车 | 🚄 train 火车 高铁 | ✈️ plane flight 飞机 | 🏖️ beach holiday 海滩 度假 | ⚽ football soccer 足球
🏀 basketball 篮球 | 🏃 run 跑 | 🧘 yoga calm 瑜伽 冷静 | 💤 zzz sleep 睡 晚安 | 👻 ghost 鬼 | 🤖 robot bot 机器人
👽 alien 外星人 | 💩 poop 便便 | 🎃 pumpkin 南瓜 | 🎄 christmas 圣诞 | ➕ plus add 加 | ➖ minus 减
➡️ right_arrow 向右 | ⬅️ left_arrow 向左
`;

/* [emoji, "its words"] */
export const EMOJI = TABLE.trim().split(/ \| |\n/).map((entry) => {
  const space = entry.indexOf(" ");
  return [entry.slice(0, space), entry.slice(space + 1)];
});
