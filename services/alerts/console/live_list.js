// The live list. The server sends patches and waits for each to be answered; ages and due times tick here.
const SPARK_W = 64, SPARK_H = 18;
const WHEN = new Intl.DateTimeFormat('zh-CN', { dateStyle: 'short', timeStyle: 'medium', timeZone: 'Asia/Shanghai', hour12: false });

export default {
  template: `
  <div class="fq-live" :class="{wall, lit: now % 2000 < 1000}" role="region" :aria-label="words.live">
    <div class="fq-live-head" aria-hidden="true">
      <span>{{ words.level }}</span><span>{{ words.matter }}</span><span>{{ words.place }}</span>
      <span>{{ words.people }}</span><span>{{ words.age }}</span><span>{{ words.step }}</span><span v-if="!wall">{{ words.act }}</span>
    </div>
    <div v-if="ready && !rows.length" class="fq-empty">{{ filtered ? words.none_filtered : words.none }}</div>
    <div v-for="(row, i) in rows" :key="row.id" v-memo="[row, i, now, i === selected, fresh[row.id], busy[row.id]]" class="fq-row" :ref="'row' + i"
         :class="['lv-' + row.level, {selected: i === selected, fresh: fresh[row.id], waiting: !row.answered, drill: row.exercise}]"
         :data-id="row.id" :data-version="row.version" @click="select(i)">
      <span class="fq-level" :title="row.levelName"><b>{{ row.level }}</b><i>{{ row.levelWord }}</i></span>
      <span class="fq-matter">
        <a :href="'/warnings/' + row.id" class="fq-title" :tabindex="0" @focus="selected = i">
          <em v-if="row.exercise" class="fq-drill">{{ words.exercise }}</em>{{ row.title }}</a>
        <small><b>{{ row.kindName }}</b> · {{ row.stateName }}<template v-if="row.by"> · {{ row.by }}</template
          ><template v-if="row.episode > 1"> · {{ words.episode.replace('{n}', row.episode) }}</template
          ><template v-if="row.muted"> · {{ words.muted }}</template
          ><template v-if="row.restricted"> · {{ words.restricted }}</template></small>
      </span>
      <span class="fq-place">{{ row.place }}<small>{{ row.unit }}</small></span>
      <span class="fq-people"><b>{{ row.people }}</b>
        <svg v-if="row.spark.length" :width="sparkW" :height="sparkH" aria-hidden="true"><polyline :points="points(row.spark)"/></svg>
        <small :class="{up: row.day > 0}">{{ row.day > 0 ? '+' + row.day : '±0' }}<i>/24h</i></small>
      </span>
      <span class="fq-age" :title="row.stamp">{{ span(now - row.raised) }}</span>
      <span class="fq-step" :class="due(row)"><template v-if="row.step">{{ row.step.what }}
        <small>{{ row.step.who }} · {{ row.step.due <= now ? words.late.replace('{t}', span(now - row.step.due)) : words.left.replace('{t}', span(row.step.due - now)) }}</small></template>
        <template v-else>—</template></span>
      <span v-if="!wall" class="fq-act">
        <button v-if="row.act" type="button" :disabled="busy[row.id]" @click.stop="step(row)" :class="{strong: !row.answered}">{{ row.act.label }}</button>
      </span>
    </div>
    <div v-if="more" class="fq-more">{{ words.more.replace('{n}', more) }}</div>
  </div>`,
  props: { words: Object, wall: Boolean },
  data() {
    return { rows: [], byId: {}, more: 0, now: Date.now(), skew: 0, fresh: {}, busy: {}, selected: -1, ready: false,
             filtered: false, audible: false, sparkW: SPARK_W, sparkH: SPARK_H };
  },
  mounted() {
    this.clock = setInterval(() => { this.now = Date.now() + this.skew; }, 1000);
    this.plainTitle = document.title;
    this.told = 0;
    this.onKey = (event) => this.key(event);
    document.addEventListener('keydown', this.onKey);
    this.$emit('ready');
  },
  unmounted() { clearInterval(this.clock); document.removeEventListener('keydown', this.onKey); },
  methods: {
    patch(news) {
      this.skew = news.now - Date.now();
      if (!this.ready) this.now = news.now;  // then once a second only: each change of it draws every line anew
      for (const row of news.put) { row.stamp = WHEN.format(row.raised); this.byId[row.id] = row; }
      if (news.order) {
        const kept = this.rows[this.selected]?.id;
        const shown = {};
        for (const id of news.order) shown[id] = this.byId[id];
        this.byId = shown;
        this.rows = news.order.map((id) => this.byId[id]);
        this.selected = kept ? news.order.indexOf(kept) : this.selected;
      } else {
        this.rows = this.rows.map((row) => this.byId[row.id]);
      }
      this.more = news.more; this.filtered = news.filtered;
      for (const row of news.put) delete this.busy[row.id];
      if (news.refilled) this.fresh = {};
      let loud = false;
      for (const id of news.fresh) if (this.byId[id]) { this.fresh[id] = true; loud = loud || this.byId[id].level; }
      for (const id of Object.keys(this.fresh)) if (!this.byId[id] || this.byId[id].answered) delete this.fresh[id];
      if (loud) this.ring(this.rows.some((row) => this.fresh[row.id] && row.level === 'I'));
      this.ready = true;
      this.badge();
      return true;
    },
    badge() {
      const n = Object.keys(this.fresh).length;
      if (n === this.told) return;
      this.told = n;
      document.title = (n ? '(' + n + ') ' : '') + this.plainTitle;
      this.$emit('fresh', n);
    },
    seen() { this.fresh = {}; this.badge(); },
    free(id) { delete this.busy[id]; },
    listen(on) {
      this.audible = on;
      if (!on) return false;
      this.audio = this.audio || new (window.AudioContext || window.webkitAudioContext)();
      this.audio.resume();
      this.ring(false);
      return true;
    },
    ring(urgent) {
      window.fqRings = (window.fqRings || 0) + 1;
      if (!this.audible || !this.audio) return;
      const tones = urgent ? [880, 660, 880, 660] : [660, 880];
      tones.forEach((pitch, i) => {
        const tone = this.audio.createOscillator(), volume = this.audio.createGain(), at = this.audio.currentTime + i * 0.22;
        tone.frequency.value = pitch;
        volume.gain.setValueAtTime(0.0001, at);
        volume.gain.exponentialRampToValueAtTime(0.25, at + 0.02);
        volume.gain.exponentialRampToValueAtTime(0.0001, at + 0.2);
        tone.connect(volume).connect(this.audio.destination);
        tone.start(at); tone.stop(at + 0.22);
      });
    },
    step(row) { this.busy[row.id] = true; this.$emit('step', { id: row.id, action: row.act.action, version: row.version }); },
    select(i) { this.selected = i; },
    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) || event.target.isContentEditable) {
        if (event.key === 'Escape') event.target.blur();
        return;
      }
      const row = this.rows[this.selected];
      if (event.key === 'j' || event.key === 'ArrowDown') this.move(1, event);
      else if (event.key === 'k' || event.key === 'ArrowUp') this.move(-1, event);
      else if (event.key === 'n' && row && row.act && !this.wall && !this.busy[row.id]) this.step(row);
      else if (event.key === 'o' && row) window.location.href = '/warnings/' + row.id;
      else if (event.key === '/') { document.querySelector('.fq-search input')?.focus(); event.preventDefault(); }
    },
    move(by, event) {
      if (!this.rows.length) return;
      this.selected = Math.max(0, Math.min(this.rows.length - 1, this.selected + by));
      const line = this.$refs['row' + this.selected];
      const element = Array.isArray(line) ? line[0] : line;
      element?.querySelector('a')?.focus({ preventScroll: true });
      element?.scrollIntoView({ block: 'nearest' });
      event.preventDefault();
    },
    points(spark) {
      const top = Math.max(1, ...spark), step = SPARK_W / (spark.length - 1);
      return spark.map((n, i) => (i * step).toFixed(1) + ',' + (SPARK_H - 1 - n / top * (SPARK_H - 3)).toFixed(1)).join(' ');
    },
    due(row) { return !row.step ? '' : row.step.due <= this.now ? 'late' : row.step.due - this.now < 600000 ? 'soon' : ''; },
    span(ms) {
      const s = Math.max(0, Math.floor(ms / 1000)), w = this.words;
      if (s < 60) return s + w.s;
      if (s < 3600) return Math.floor(s / 60) + w.m;
      if (s < 86400) return Math.floor(s / 3600) + w.h + (Math.floor(s % 3600 / 60) ? ' ' + Math.floor(s % 3600 / 60) + w.m : '');
      return Math.floor(s / 86400) + w.d + (Math.floor(s % 86400 / 3600) ? ' ' + Math.floor(s % 86400 / 3600) + w.h : '');
    },
  },
};
