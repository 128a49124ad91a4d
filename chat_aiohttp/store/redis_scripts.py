"""What the Lua that runs inside Redis has in common, and the scripts that read. Layer 2: text only.

STAND  where a shard and one of its rooms stand
AFTER  a stretch of a room's log, vouched for
COUNT  how many messages a room has after an id
FORGET take rooms that are gone off a shard's index

The one that writes is redis_turn.py's. An entry of a room's stream is `p` the id before it, `d` body, and for all but
messages `k` kind and `t` target. An entry of a shard's bus is `b` the bus' id before it, `r` room, and then the same
fields, under the same id; or `s`, a signal. Entries of another shape are someone else's: skipped everywhere, and part
of no chain.

Keys of rooms are made inside the scripts from their shard's base. Redis asks for keys to be declared so that a
cluster can route; here all of them are in the slot of the declared ones. Declaring them would cost more than
appending does.
"""

from __future__ import annotations

from typing import Final

from chat_aiohttp.store.redis_link import Script

_IDS = """
local function split(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms) or 0, tonumber(seq) or 0
end
local function later(one, other)
  local ms, seq = split(one)
  local other_ms, other_seq = split(other)
  return ms > other_ms or (ms == other_ms and seq > other_seq)
end
local function is_ours(entry)
  local fields = entry[2]
  return fields[1] == 'p' and fields[3] == 'd'
end
-- The id of the room's last entry, and the last id its stream has given: the same, unless someone else wrote to it.
-- Or nothing, and the error in words.
local function tail(room)
  local newest = redis.pcall('XREVRANGE', room, '+', '-', 'COUNT', 1)
  if newest.err then return nil, newest.err end
  if newest[1] and is_ours(newest[1]) then return newest[1][1], newest[1][1] end
  local given = '0-0'
  local info = redis.pcall('XINFO', 'STREAM', room)
  if info.err then return given, given end
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then given = info[i + 1] end
  end
  for _, entry in ipairs(redis.call('XREVRANGE', room, '+', '-', 'COUNT', 64)) do
    if is_ours(entry) then return entry[1], given end
  end
  return given, given
end
"""

_STAND = """
local state = redis.call('HMGET', KEYS[1], 'last', 'epoch')
local last, given = tail(KEYS[2])
if not last then return redis.error_reply(given .. ' (' .. KEYS[2] .. ')') end
return {state[1] or '0-0', state[2] or '', last}
"""

_AFTER = """
local room, tombs = KEYS[1], KEYS[2]
local cursor, oldest, limit = ARGV[1], ARGV[2], tonumber(ARGV[3])
local last, given = tail(room)
if not last then return redis.error_reply(given .. ' (' .. room .. ')') end

-- The chain goes back from an entry through what was deleted on purpose: does it reach *known*?
local function reached(id, known)
  while later(id, known) do
    local before = redis.call('HGET', tombs, id)
    if not before or before == '' then break end
    id = before
  end
  return id
end

local shown, gap, reason = {}, '', ''
local expected, scanned = cursor, '(' .. cursor
if later(oldest, cursor) then scanned = oldest end
for pass = 1, 16 do
  local found = redis.call('XRANGE', room, scanned, '+', 'COUNT', limit + 1)
  for _, entry in ipairs(found) do
    scanned = '(' .. entry[1]
    if is_ours(entry) then
      local before = entry[2][2]
      if before ~= expected and expected ~= '0-0' then
        local from = reached(before, expected)
        if from ~= expected then
          -- In the middle of a page: the next page begins at the hole, and says so.
          if expected ~= cursor then return {expected, 1, gap, reason, shown} end
          gap, reason = before, later(from, cursor) and 'trimmed' or 'unknown'
        end
      end
      if entry[2][4] ~= '' then
        if #shown == limit then return {shown[limit][1], 1, gap, reason, shown} end
        shown[#shown + 1] = entry
      end
      expected = entry[1]
    end
  end
  if #found <= limit then break end
end
if expected == cursor and cursor ~= '0-0' and cursor ~= last then
  gap, reason = last, later(cursor, last) and 'lost' or 'trimmed'
end
return {last, 0, gap, reason, shown}
"""

# Counted where they lie: a hundred messages are a hundred texts to send otherwise.
_COUNT = """
local cursor, oldest, limit, most = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local start, count = '(' .. cursor, 0
if later(oldest, cursor) then start = oldest end
for pass = 1, math.ceil(most / limit) do
  local found = redis.pcall('XRANGE', KEYS[1], start, '+', 'COUNT', limit)
  if found.err then return 0 end  -- no log of ours: whoever enters is told; the other rooms' counts are not held up
  for _, entry in ipairs(found) do
    local fields = entry[2]
    if is_ours(entry) and fields[4] ~= '' and fields[5] == nil then count = count + 1 end
    if count == limit then return count end
  end
  if #found < limit then break end
  start = '(' .. found[#found][1]
end
return count
"""

_FORGET = """
local rooms, titles, base = KEYS[1], KEYS[2], ARGV[1]
for i = 2, #ARGV do
  local name = ARGV[i]
  if redis.call('EXISTS', base .. 'r:' .. name, base .. 'l:' .. name) == 0 then
    redis.call('ZREM', rooms, name)
    redis.call('HDEL', titles, name)
  end
end
"""


def script(body: str, **values: object) -> Script:
    """The script *body*, which may use what all of them share; each @NAME in it is the value of that name."""
    for name, value in values.items():
        body = body.replace(f"@{name}", str(value))
    return Script(_IDS + body)


STAND: Final = script(_STAND)
AFTER: Final = script(_AFTER)
COUNT: Final = script(_COUNT)
FORGET: Final = script(_FORGET)
