"""The works: who is in which room, who talks how fast, and what is read off."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Work:
    """One thing that every server is asked to do. Neither rate nor window: the members only stay."""

    name: str
    title: str
    rooms: int
    members: int  # of each room
    senders: int = 1  # of each room; they are members, too
    rate: float = 0.0  # messages a second, of all senders together (open loop)
    window: int = 0  # messages each sender has under way (closed loop)
    deaf: int = 0  # members beside them who never read
    padding: int = 0  # characters that a message has beyond its 64

    @property
    def connections(self) -> int:
        """Sockets it needs."""
        return self.rooms * self.members + self.deaf

    @property
    def is_idle(self) -> bool:
        """Whether nobody talks."""
        return not self.rate and not self.window

    @property
    def deliveries_per_s(self) -> float:
        """Of the open loop."""
        return self.rate * self.members

    def arguments(self) -> list[str]:
        """For the load generator."""
        given = ["--rooms", self.rooms, "--members", self.members, "--senders", self.senders, "--deaf", self.deaf]
        given += ["--padding", self.padding] if self.padding else []
        given += ["--rate", self.rate] if self.rate else []
        given += ["--window", self.window] if self.window else []
        return [str(part) for part in given]


_A = Work(name="A", title="1 room of 1,000; 100 messages a second of 10 senders", rooms=1, members=1000, senders=10)
_L = replace(_A, name="L", title="1 room of 1,000; 50 messages a second of 3,600 characters", rate=50.0, padding=3536)
_S = replace(_L, name="S", title="the same beside 1,000 members of the room who never read", deaf=1000)
_C = Work(name="C", title="1,000 rooms of 5; 1 message a second in each", rooms=1000, members=5)

WORKS = {
    work.name: work
    for work in (
        replace(_A, rate=100.0),
        replace(_A, name="A10", title="the same room; 10 messages a second", rate=10.0),
        replace(_A, name="B", title="the same room; 10 senders, each with 16 messages under way", window=16),
        replace(_A, name="B1", title="the same room; 10 senders, each with 1 message under way", window=1),
        replace(_C, rate=1000.0),
        replace(_C, name="CH", title="1,000 rooms of 5; 10 messages a second in each", rate=10_000.0),
        replace(_C, name="CS", title="1,000 rooms of 5; 1 message under way in each", window=1),
        Work(name="D", title="5,000 members in rooms of 10, idle", rooms=500, members=10, senders=0),
    )
}

GROWTH_DELIVERIES_PER_S = 20_000


def growing_room(members: int) -> Work:
    """One room of *members*, at the same number of deliveries a second whatever its size."""
    return Work(
        name=f"M{members}",
        title=f"1 room of {members:,}; {GROWTH_DELIVERIES_PER_S:,} deliveries a second",
        rooms=1,
        members=members,
        senders=min(10, members),
        rate=GROWTH_DELIVERIES_PER_S / members,
    )


def growing_house(rooms: int) -> Work:
    """*rooms* rooms of 2, at the same 1,000 messages a second whatever their number."""
    return Work(
        name=f"R{rooms}",
        title=f"{rooms:,} rooms of 2; 1,000 messages a second in all",
        rooms=rooms,
        members=2,
        rate=1000.0,
    )


SLOW = (_L, _S)  # asked for by name: with windows of 20 s or more the bounds on who never reads are met
SOAK = replace(_C, name="soak", title="1,000 rooms of 5; 8 messages a second in each", rate=8000.0)


def growing_idle(members: int) -> Work:
    """*members* idle members in rooms of 10."""
    return replace(WORKS["D"], name=f"I{members}", title=f"{members:,} idle members", rooms=members // 10)


GROWTH = (
    *(growing_room(members) for members in (10, 100, 1000, 10_000)),
    *(
        growing_house(rooms) for rooms in (1, 10, 100, 1000, 9900)
    ),  # 20,000 descriptors, which is many a hard limit, hold 9,900
    *(growing_idle(members) for members in (2000, 5000, 10_000, 15_000)),
)
EVERY = WORKS | {work.name: work for work in (*GROWTH, *SLOW)}
