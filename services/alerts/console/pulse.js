// The line that says whether news arrives. Silence is never taken for calm: without a beat it turns red by itself.
const DEAD_AFTER_MS = 9000;

export default {
  template: `<div class="fq-pulse" :class="state" :data-state="state">
    <span class="fq-dot" aria-hidden="true"></span><b role="status">{{ headline }}</b><span>{{ line }}</span><span class="fq-grow"></span><span class="fq-clock">{{ clock }}</span></div>`,
  props: { words: Object, renew: Boolean },
  data() { return { at: Date.now(), skew: 0, beat: Date.now(), trouble: null, last: null, now: Date.now(), cut: false, out: false, used: Date.now() }; },
  computed: {
    dead() { return this.out || this.cut || this.now - this.beat > DEAD_AFTER_MS; },
    state() { return this.dead ? 'dead' : this.trouble ? (this.trouble === 'starting' ? 'slow' : 'dead') : 'live'; },
    headline() { return this.words[this.state]; },
    line() {
      const last = this.last ? this.words.last.replace('{t}', this.span(this.now + this.skew - this.last)) : this.words.nothing;
      if (this.out) return this.words.out;
      if (this.dead) return this.words.frozen.replace('{t}', new Date(this.beat + this.skew).toLocaleTimeString('zh-CN', { timeZone: 'Asia/Shanghai', hour12: false }));
      return this.trouble ? this.words['trouble_' + this.trouble] + ' · ' + last : last;
    },
    clock() { return new Date(this.now + this.skew).toLocaleString('zh-CN', { timeZone: 'Asia/Shanghai', hour12: false }); },
  },
  watch: { dead(now) { document.body.classList.toggle('fq-dead', now); } },
  mounted() {
    this.timer = setInterval(() => { this.now = Date.now(); }, 500);
    this.onCut = () => { this.cut = true; };
    this.onUse = () => { this.used = Date.now(); };
    this.wait = setInterval(() => {
      if (!window.socket) return;
      clearInterval(this.wait);
      window.socket.on('disconnect', this.onCut);
    }, 100);
    for (const kind of ['pointerdown', 'keydown']) document.addEventListener(kind, this.onUse, { passive: true });
    if (this.renew) this.renewal = setInterval(() => {
      if (Date.now() - this.used < 300000) fetch('/auth/renew', { method: 'POST' });
    }, 240000);
  },
  unmounted() { clearInterval(this.timer); clearInterval(this.wait); clearInterval(this.renewal); window.socket?.off('disconnect', this.onCut);
    for (const kind of ['pointerdown', 'keydown']) document.removeEventListener(kind, this.onUse); },
  methods: {
    tick(news) {
      this.beat = this.now = Date.now();
      this.skew = news.now - this.beat; this.cut = false; this.trouble = news.trouble; this.last = news.last;
      return true;
    },
    signedOut() { this.out = true; return true; },
    span(ms) {
      const s = Math.max(0, Math.floor(ms / 1000)), w = this.words;
      return s < 60 ? s + w.s : s < 3600 ? Math.floor(s / 60) + w.m : s < 86400 ? Math.floor(s / 3600) + w.h : Math.floor(s / 86400) + w.d;
    },
  },
};
