"""The Lua that writes: everything one turn of an instance's loop has for one shard. Layer 2: text only.

Events, signals, leases and wake-ups, in the order given. An event's answer is its id, or begins with one of the letters
below; after the first that failed nothing is looked at, so that nothing overtakes it.

Promise: nothing is written before the keys have shown the right type, and effects are replicated as one transaction.
How entries look, and what the script shares with those that read, is redis_scripts.py's.
"""

from __future__ import annotations

from typing import Final

from chat_aiohttp.events import DELETE
from chat_aiohttp.store import LEASE_S
from chat_aiohttp.store.redis_scripts import script

BUS_EVENTS: Final = 8_192  # a shard's bus keeps about so many entries…
BUS_MS: Final = 60_000  # …and none older than this: who is further behind reads the rooms' own streams
REFS_KEPT: Final = 128  # refs in a session's younger half; then it becomes the older one
REF_MS: Final = 600_000
WAKE_MS: Final = 60_000  # how long a follower's wake-up stream outlives its instance
SIDE_NOTES: Final = 1_024  # tombstones or amended messages of a room; then those of trimmed entries are dropped

# How the answer for one event begins, unless it is the plain id of what was stored.
REPEATED: Final = ord("=")
REUSED: Final = ord("!")
BROKEN: Final = ord("?")
FAILED: Final = ord("-")

_TURN = """
local bus, head, rooms, titles = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local base, instance = ARGV[1], ARGV[2]
local max_events, max_age, idle = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- While a cluster moves our slot to another node, keys that are not there may be elsewhere, and a key made now would be
-- lost: asking for one that never exists shows it. Nothing is begun until the slot has arrived.
local moving = redis.pcall('EXISTS', base .. 'never')
if type(moving) == 'table' then return redis.error_reply('TRYAGAIN the shard is moving: ' .. moving.err) end
local known = redis.pcall('HMGET', head, 'last', 'epoch')
if known.err then return redis.error_reply(known.err .. ' (' .. head .. ')') end
local newest = redis.pcall('XREVRANGE', bus, '+', '-', 'COUNT', 1)
if newest.err then return redis.error_reply(newest.err .. ' (' .. bus .. ')') end

-- Ids grow past everything this shard has given, so they grow in each room too: also when the clock goes back, and
-- when a room or the bus was deleted.
local last, wrote = known[1] or '0-0', false
local ms, seq = split(last)
if newest[1] and later(newest[1][1], last) then ms, seq = split(newest[1][1]) end
if now > ms then ms, seq = now, -1 end
local function next_id(past)
  local past_ms, past_seq = split(past)
  seq = seq + 1
  if past_ms > ms or (past_ms == ms and past_seq >= seq) then ms, seq = past_ms, past_seq + 1 end
  return string.format('%.0f-%.0f', ms, seq)
end
local function crosses(past, step)
  local past_ms = split(past)
  return math.floor(past_ms / step) < math.floor(ms / step)
end

local function publish(id, ...)
  local stored = redis.pcall('XADD', bus, 'MAXLEN', '~', @BUS_EVENTS, id, 'b', last, 'r', ...)
  last, wrote = id, true
  return type(stored) ~= 'table' or stored
end

-- Notes about entries that are no longer kept are of no use: drop them once there are many.
local function tidy(notes, room)
  if redis.call('HLEN', notes) % @SIDE_NOTES ~= 0 then return end
  local first = redis.call('XRANGE', room, '-', '+', 'COUNT', 1)[1]
  for _, id in ipairs(redis.call('HKEYS', notes)) do
    if not first or later(first[1], id) then redis.call('HDEL', notes, id) end
  end
end
local function wipe(room, tombs, id)
  local entry = redis.call('XRANGE', room, id, id)[1]
  -- Deleted twice, the first tombstone stays: it knows what came before.
  if entry and is_ours(entry) then
    redis.call('HSET', tombs, id, entry[2][2])
  else
    redis.call('HSETNX', tombs, id, '')
  end
  redis.call('XDEL', room, id)
  redis.call('XDEL', bus, id)
end
local function amend(name, room, id, kind, target)
  local notes, tombs = base .. 'a:' .. name, base .. 't:' .. name
  local ids = redis.call('HGET', notes, target)
  if kind == '@DELETE' then
    wipe(room, tombs, target)
    for one in string.gmatch(ids or '', '%S+') do wipe(room, tombs, one) end
    redis.call('HDEL', notes, target)
    tidy(tombs, room)
  else
    redis.call('HSET', notes, target, ids and ids .. ' ' .. id or id)
    tidy(notes, room)
  end
  if idle > 0 then
    redis.call('PEXPIRE', notes, idle + idle / 16)
    redis.call('PEXPIRE', tombs, idle + idle / 16)
  end
end

-- What a key's error means: somebody else's value, which stays, or something that may pass.
local function broken(err)
  if string.find(err, 'WRONGTYPE', 1, true) == 1 then return '?' end
  return '-' .. err
end

local active, fresh, met = {}, {}, {}
local function append(name, kind, body, target, session, ref, digest, title)
  local room = base .. 'r:' .. name
  local past, given = tail(room)
  if not past then return broken(given) end
  local younger, older
  if ref ~= '' then
    younger, older = base .. 'y:' .. name .. ':' .. session, base .. 'o:' .. name .. ':' .. session
    local seen = redis.pcall('HGET', younger, ref) or redis.pcall('HGET', older, ref)
    if type(seen) == 'table' then return broken(seen.err) end
    if seen then
      local gap = string.find(seen, ' ', 1, true)
      if string.sub(seen, gap + 1) == digest then return '=' .. string.sub(seen, 1, gap - 1) end
      return '!'
    end
  end
  local is_late = false
  if target ~= '' then
    is_late = redis.pcall('HEXISTS', base .. 't:' .. name, target)
    local notes = redis.pcall('HEXISTS', base .. 'a:' .. name, target)
    if type(is_late) == 'table' then return broken(is_late.err) end
    if type(notes) == 'table' then return broken(notes.err) end
    is_late = is_late == 1 and kind ~= '@DELETE'
  end

  local id = next_id(given)
  local entry = {'p', past, 'd', body}
  if kind ~= '' then entry[#entry + 1], entry[#entry + 2] = 'k', kind end
  if target ~= '' then entry[#entry + 1], entry[#entry + 2] = 't', target end
  -- What is about a deleted message is told, but its text is not kept.
  if is_late then entry[4] = '' end
  local stored
  if max_events == '0' then
    stored = redis.pcall('XADD', room, id, unpack(entry))
  else
    stored = redis.pcall('XADD', room, 'MAXLEN', '~', max_events, id, unpack(entry))
  end
  if type(stored) == 'table' then return '-' .. stored.err end
  entry[4] = body
  publish(id, name, unpack(entry))
  if ref ~= '' then
    redis.call('HSET', younger, ref, id .. ' ' .. digest)
    redis.call('PEXPIRE', younger, @REF_MS)
    if redis.call('HLEN', younger) >= @REFS_KEPT then redis.call('RENAME', younger, older) end
  end
  if target ~= '' and not is_late then amend(name, room, id, kind, target) end
  if idle > 0 and crosses(past, idle / 16) then
    redis.call('PEXPIRE', room, idle + idle / 16)
    redis.call('PEXPIRE', base .. 'a:' .. name, idle + idle / 16)
    redis.call('PEXPIRE', base .. 't:' .. name, idle + idle / 16)
  end
  if max_age > 0 and past ~= '0-0' and crosses(past, max_age / 32) then
    redis.call('XTRIM', room, 'MINID', '~', string.format('%.0f', now - max_age))
  end
  if past == '0-0' then fresh[name] = title end
  active[name] = string.format('%.0f', ms)
  return id
end

local function lease(name, title, people, body)
  local key = base .. 'l:' .. name
  local added = redis.pcall('HSET', key, instance, string.format('%.0f %s %s', now + @LEASE_MS, people, body))
  -- Who comes clears away what instances that died have left: as long as anybody renews, the key itself never ends.
  if added == 1 then
    for _, other in ipairs(redis.call('HKEYS', key)) do
      local ends = tonumber(string.match(redis.call('HGET', key, other), '^(%d+) %d+ '))
      if ends and ends <= now then redis.call('HDEL', key, other) end
    end
  end
  redis.pcall('PEXPIRE', key, @LEASE_MS)
  redis.pcall('ZADD', rooms, 'NX', string.format('%.0f', now), name)
  met[name] = title
end

local answers = {}
local i = 6
while ARGV[i] do
  local what, name = ARGV[i], ARGV[i + 1]
  if what == 'e' then
    local answer = append(name, unpack(ARGV, i + 2, i + 8))
    answers[#answers + 1] = answer
    if string.byte(answer) == @FAILED then break end
    i = i + 9
  elseif what == 's' then
    publish(next_id('0-0'), name, 's', ARGV[i + 2])
    i = i + 3
  elseif what == 'l' then
    lease(name, ARGV[i + 2], ARGV[i + 3], ARGV[i + 4])
    i = i + 5
  elseif what == 'w' then
    redis.pcall('XADD', name, 'MAXLEN', 1, '*', 'wake', '')
    redis.pcall('PEXPIRE', name, @WAKE_MS)
    i = i + 2
  else
    redis.pcall('HDEL', base .. 'l:' .. name, instance)
    i = i + 2
  end
end

for name, at in pairs(active) do redis.pcall('ZADD', rooms, at, name) end
for name, title in pairs(met) do redis.pcall('HSETNX', titles, name, title) end
for name, title in pairs(fresh) do redis.pcall('HSET', titles, name, title) end
if wrote then
  redis.call('HSET', head, 'last', last)
  if not known[2] then redis.call('HSET', head, 'epoch', instance .. '-' .. clock[1] .. '-' .. clock[2]) end
  redis.call('XTRIM', bus, 'MINID', '~', string.format('%.0f', now - @BUS_MS))
  redis.call('PEXPIRE', bus, @BUS_MS)
end
return answers
"""

TURN: Final = script(
    _TURN,
    BUS_EVENTS=BUS_EVENTS,
    BUS_MS=BUS_MS,
    REFS_KEPT=REFS_KEPT,
    REF_MS=REF_MS,
    SIDE_NOTES=SIDE_NOTES,
    LEASE_MS=LEASE_S * 1000,
    FAILED=FAILED,
    WAKE_MS=WAKE_MS,
    DELETE=DELETE,
)
