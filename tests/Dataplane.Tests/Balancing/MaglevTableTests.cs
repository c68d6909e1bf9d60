using Dataplane.Balancing;
using Dataplane.Tests.Support;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Balancing;

public class MaglevTableTests
{
    private static readonly int[] s_primes = [2, 3, 7, 251, 509, 1021];

    /// <summary>Members with identities that are few enough to meet again in the next set, and weights from none to lopsided.</summary>
    private static readonly Gen<MaglevMember[]> s_members =
        from weights in Gen.OneOf(Gen.Constant(1), Gen.Choose(0, 10), Gen.Elements(0, 1, 1000)).ArrayOf()
        from salt in Gen.Choose(0, 3)
        from order in Gen.Shuffle(Enumerable.Range(0, weights.Length))
        select order.Select(i => new MaglevMember((ulong)(i + salt), weights[i])).ToArray();

    /// <summary>Table 1 of the paper, the permutations given there; B1 is removed in the second.</summary>
    [Fact]
    public void Build_PapersExample_GivesPapersTable()
    {
        static MaglevPermutation Paper(ulong member, int size) => member switch { 0 => new(3, 4), 1 => new(0, 2), _ => new(3, 1) };

        MaglevTable before = MaglevTable.Build([new(0, 1), new(1, 1), new(2, 1)], 7, Paper);
        Assert.Equal([1UL, 0, 1, 0, 2, 2, 0], Identities(before));
        MaglevTable after = MaglevTable.Build([new(0, 1), new(2, 1)], 7, Paper);
        Assert.Equal([0UL, 0, 0, 0, 2, 2, 2], Identities(after));
    }

    /// <summary>Computed by another implementation, from the identities on: gateways that run different versions must agree for ever.</summary>
    [Fact]
    public void Build_KnownMembers_NeverChanges()
    {
        string expected =
            "01110022210110102221001121022200112112202011021220200102212022010021100221002211022010122112221002211122200120111200012021"
            + "110200102101122010020111221002211112000222111220002211012200220101100022020111200202101112020020110102002201011020220111121002211";
        MaglevTable table = MaglevTable.Build([new(0x161018E19913E76E, 1), new(0x331FCCD6DF2C605E, 1), new(0xEE3896860EA91827, 1)], 251);
        Assert.Equal(expected, string.Concat(Enumerable.Range(0, 251).Select(table.MemberAt)));
    }

    [Fact]
    public void Build_EqualWeights_AgreesWithTextbook() =>
        Prop.ForAll(Gen.Elements(s_primes).ToArbitrary(), Gen.Choose(1, 40).ToArbitrary(), Gen.Choose(1, 7).ToArbitrary(), (size, count, weight) =>
        {
            ulong[] identities = [.. Enumerable.Range(0, count).Select(i => (ulong)i * 77)];
            MaglevTable table = MaglevTable.Build([.. identities.Select(identity => new MaglevMember(identity, weight))], size);
            return Identities(table).SequenceEqual(TextbookMaglev.Build(identities, size));
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Build_AnyMembers_FillsEverySlotByWeightWhateverTheOrder() =>
        Prop.ForAll(s_members.ToArbitrary(), Gen.Elements(s_primes).ToArbitrary(), (members, size) =>
        {
            MaglevTable table = MaglevTable.Build(members, size);
            return IsBalanced(table) && table.SlotsMoved == 0 && table.MinimumSlotsMoved == 0
                && Identities(table).SequenceEqual(Identities(MaglevTable.Build([.. members.Reverse()], size)));
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Change_AnyChainOfMembers_MovesTheMinimumAndStaysBalanced() =>
        Prop.ForAll(s_members.ListOf().ToArbitrary(), Gen.Elements(s_primes).ToArbitrary(), (chain, size) =>
        {
            MaglevTable table = MaglevTable.Build([], size);
            foreach (MaglevMember[] members in chain)
            {
                MaglevTable next = table.Change(members);
                if (!IsBalanced(next) || !MovedTheMinimum(table, next) || !GaveUpLeastPreferred(table, next))
                {
                    return false;
                }

                table = next;
            }

            return true;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    [Fact]
    public void Change_FromEmptyTable_IsTheBuiltOne() =>
        Prop.ForAll(s_members.ToArbitrary(), members =>
            Identities(MaglevTable.Build([new(99, 0)], 251).Change(members))
                .SequenceEqual(Identities(MaglevTable.Build(members, 251)))).QuickCheckThrowOnFailure();

    [Fact]
    public void Change_OneOfAThousandRemoved_MovesItsSlotsAndNoOthers()
    {
        MaglevMember[] members = [.. Enumerable.Range(0, 1000).Select(i => new MaglevMember((ulong)i, 1))];
        MaglevTable table = MaglevTable.Build(members);
        MaglevTable changed = table.Change(members[1..]);
        Assert.Equal(table.SlotsOf(0), changed.SlotsMoved);
        Assert.Equal(changed.MinimumSlotsMoved, changed.SlotsMoved);
        for (int slot = 0; slot < table.Size; slot++)
        {
            Assert.True(table.MemberAt(slot) == 0 || table.MemberAt(slot) == changed.MemberAt(slot) + 1);
        }
    }

    [Fact]
    public void Change_ToNoMembers_FreesEverySlotAndBack()
    {
        MaglevTable full = MaglevTable.Build([new(1, 1), new(2, 3)], 251), empty = full.Change([new(1, 0)]);
        Assert.Equal((251, 251), (empty.SlotsMoved, empty.MinimumSlotsMoved));
        Assert.Equal(-1, empty.Lookup(0));
        MaglevTable again = empty.Change(full.Members);
        Assert.Equal((0, 0), (again.SlotsMoved, again.MinimumSlotsMoved));
        Assert.Equal(Identities(full), Identities(again));
    }

    [Fact]
    public void Build_AnyWeights_AgreesWithTextbook() =>
        Prop.ForAll(s_members.ToArbitrary(), Gen.Elements(s_primes).ToArbitrary(), (members, size) =>
            Slots(MaglevTable.Build(members, size)).SequenceEqual(TextbookMaglev.Build(members, size))).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    /// <summary>Sizes at which most slots are found by searching, unlike in small tables, and the last ones by computing.</summary>
    [Theory]
    [InlineData(16381, 300, 1)]
    [InlineData(16381, 150, 9)]
    [InlineData(65537, 7, 2)]
    public void Build_LargeTable_AgreesWithTextbook(int size, int count, int weights)
    {
        MaglevMember[] members = [.. Enumerable.Range(0, count).Select(i => new MaglevMember((ulong)i * 77, 1 + (i % weights)))];
        Assert.Equal(TextbookMaglev.Build(members, size), Slots(MaglevTable.Build(members, size)));
    }

    [Fact]
    public void Build_SourceThatGivesNoPermutation_Throws()
    {
        foreach (MaglevPermutation bad in new MaglevPermutation[] { new(-1, 1), new(7, 1), new(0, 0), new(0, 7) })
        {
            Assert.Throws<ArgumentException>(() => MaglevTable.Build([new(1, 1)], 7, (_, _) => bad));
        }
    }

    /// <summary>Every place, all skips of a small prime and some of a large one: the computed preference is the one a search finds.</summary>
    [Theory]
    [InlineData(2)]
    [InlineData(13)]
    [InlineData(4999999)]
    [InlineData(MaglevTable.MaxSize)]
    public void LastSlots_AnyOrder_TakesTheFirstFreeOne(int size)
    {
        var random = new Random(size);
        int[] skips = size <= 13
            ? [.. Enumerable.Range(1, size - 1)]
            : [1, 2, size - 1, size / 2, .. Enumerable.Range(0, 40).Select(_ => random.Next(1, size))];
        foreach (int skip in skips)
        {
            HashSet<int> free = [.. Enumerable.Range(0, 30).Select(_ => random.Next(size))];
            int[] slots = [.. free];
            long inverse = LastSlots.Inverse(skip, size);
            int next = random.Next(size);
            var last = new LastSlots(slots, size);
            Assert.Equal(1, inverse * skip % size);
            while (free.Count > 0)
            {
                int expected = free.MinBy(slot => LastSlots.Place(slot, next, inverse, size));
                Assert.Equal(expected, last.Take(next, skip));
                next = (int)(((long)expected + skip) % size);
                free.Remove(expected);
            }
        }
    }

    /// <summary>The sum over members of what each must give up when as many as possible of those that may be rounded up keep a slot by it.</summary>
    [Fact]
    public void Change_AnyWeights_MovesNoMoreThanAnyTableOfExactShares() =>
        Prop.ForAll(s_members.ToArbitrary(), s_members.ToArbitrary(), Gen.Elements(s_primes).ToArbitrary(), (first, second, size) =>
        {
            MaglevTable before = MaglevTable.Build(first, size), after = before.Change(second);
            long sum = second.Sum(member => (long)member.Weight);
            int keepable = 0;
            int least = Enumerable.Range(0, first.Length).Where(i => second.All(member => member.Identity != first[i].Identity)).Sum(before.SlotsOf);
            long left = sum == 0 ? 0 : size;
            foreach (MaglevMember member in second)
            {
                int index = Array.FindIndex(first, other => other.Identity == member.Identity), held = index < 0 ? 0 : before.SlotsOf(index);
                (long floor, long rest) = sum == 0 ? (0, 0) : Math.DivRem((long)size * member.Weight, sum);
                left -= floor;
                least += (int)Math.Max(0, held - floor);
                keepable += held > floor && rest > 0 ? 1 : 0;
            }

            return after.SlotsMoved == least - Math.Min(left, keepable) && after.MinimumSlotsMoved == after.SlotsMoved;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));

    /// <summary>Lists that differ in order and in many places, which are matched in another way than those that differ in one.</summary>
    [Fact]
    public void Change_MembersInAnotherOrder_MovesNothing()
    {
        MaglevMember[] members = [.. Enumerable.Range(0, 200).Select(i => new MaglevMember((ulong)i, 1 + (i % 3)))];
        MaglevTable table = MaglevTable.Build(members, 4093);
        MaglevMember[][] orders = [[.. members.Reverse()], [.. members[1..], members[0]], [members[1], members[0], .. members[2..]]];
        foreach (MaglevMember[] order in orders)
        {
            MaglevTable changed = table.Change(order);
            Assert.Equal(0, changed.SlotsMoved);
            Assert.Equal(Identities(table), Identities(changed));
        }

        Assert.Throws<ArgumentException>(() => table.Change([.. members, members[5]]));
        Assert.Throws<ArgumentException>(() => table.Change([.. members, new(1000, 1), new(1000, 1)]));
        Assert.Throws<ArgumentException>(() => table.Change([.. members.Reverse(), members[5]]));
    }

    /// <summary>A chain of single changes, as a fleet has them: one comes, goes or changes its weight; adjacent members go, too.</summary>
    [Fact]
    public void Change_OneByOne_MovesTheMinimumAndGivesUpTheLeastPreferred()
    {
        var random = new Random(7);
        List<MaglevMember> members = [.. Enumerable.Range(0, 60).Select(i => new MaglevMember((ulong)i, 1 + (i % 4)))];
        MaglevTable table = MaglevTable.Build(members, 4093);
        for (int step = 0; step < 120; step++)
        {
            int at = random.Next(members.Count);
            switch (step % 4)
            {
                case 0:
                    members.RemoveRange(at, Math.Min(1 + (step % 3), members.Count - at));
                    break;
                case 1:
                    members.Insert(at, new MaglevMember(1000 + (ulong)step, random.Next(6)));
                    break;
                case 2:
                    members[at] = members[at] with { Weight = random.Next(9) };
                    break;
                default:
                    members.Add(new MaglevMember(2000 + (ulong)step, 3));
                    break;
            }

            MaglevTable next = table.Change(members);
            Assert.True(IsBalanced(next) && MovedTheMinimum(table, next) && GaveUpLeastPreferred(table, next), $"step {step}");
            table = next;
        }
    }

    [Fact]
    public void Rebuild_AfterChanges_IsTheBuiltOneInTheNextEpoch() =>
        Prop.ForAll(s_members.ToArbitrary(), s_members.ToArbitrary(), (first, second) =>
        {
            MaglevTable changed = MaglevTable.Build(first, 251).Change(second), rebuilt = changed.Rebuild();
            int moved = Enumerable.Range(0, 251).Count(slot => changed.MemberAt(slot) != rebuilt.MemberAt(slot));
            return Slots(rebuilt).SequenceEqual(Slots(MaglevTable.Build(second, 251))) && rebuilt.Epoch == 2 && rebuilt.SlotsMoved == moved
                && rebuilt.MinimumSlotsMoved <= moved && Slots(rebuilt.Change(first)).SequenceEqual(Slots(MaglevTable.Build(second, 251).Change(first)));
        }).QuickCheckThrowOnFailure();

    /// <summary>Against a list of when each slot changed, over more changes than a byte counts.</summary>
    [Fact]
    public void EpochOf_ManyChanges_TellsWhenEachSlotChangedLast()
    {
        MaglevMember[] members = [.. Enumerable.Range(0, 20).Select(i => new MaglevMember((ulong)i, 1))];
        MaglevTable table = MaglevTable.Build(members, 1021);
        var changed = new long[table.Size];
        Assert.Equal(0, table.EpochOf(5));
        Assert.False(table.HasMovedSince(uint.MaxValue, 0));
        for (int epoch = 1; epoch <= 600; epoch++)
        {
            MaglevTable next = table.Change(epoch % 2 == 0 ? members : [.. members[..(epoch % 5)], .. members[((epoch % 5) + 1)..]]);
            for (int slot = 0; slot < table.Size; slot++)
            {
                changed[slot] = Identities(table, slot) == Identities(next, slot) ? changed[slot] : epoch;
                Assert.Equal(Math.Max(changed[slot], epoch - 255), next.EpochOf(slot));
                uint hash = (uint)((((ulong)slot << 32) + 1020) / 1021);
                Assert.Equal(next.EpochOf(slot) > epoch - 3, next.HasMovedSince(hash, epoch - 3));
            }

            Assert.Equal(epoch, next.Epoch);
            table = next;
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => table.EpochOf(1021));
        static ulong Identities(MaglevTable table, int slot) => table.Members[table.MemberAt(slot)].Identity;
    }

    [Fact]
    public void Change_ToMoreMembersThanSixteenBitsCountAndBack_KeepsWhatMayStay()
    {
        MaglevMember[] few = [.. Enumerable.Range(0, 65000).Select(i => new MaglevMember((ulong)i, 1))];
        MaglevMember[] many = [.. few, .. Enumerable.Range(65000, 1000).Select(i => new MaglevMember((ulong)i, 1))];
        MaglevTable table = MaglevTable.Build(few, 131071), grown = table.Change(many), back = grown.Change(few);
        Assert.True(IsBalanced(grown) && IsBalanced(back));
        Assert.Equal(grown.MinimumSlotsMoved, grown.SlotsMoved);
        int stayed = Enumerable.Range(0, table.Size).Count(slot => table.MemberAt(slot) == grown.MemberAt(slot));
        Assert.Equal(table.Size - grown.SlotsMoved, stayed);
    }

    [Fact]
    public void Lookup_AnyHash_AllocatesNothing()
    {
        MaglevTable table = MaglevTable.Build([new(1, 1), new(2, 1)], 251).Change([new(1, 2), new(2, 1)]);
        var meter = new AllocationMeter();
        long sum = 0;
        for (uint i = 0; i < 1000; i++)
        {
            meter.Open();
            sum += table.Lookup(i * 4_000_037) + (table.HasMovedSince(i * 4_000_037, 0) ? 1 : 0);
            meter.Close();
        }

        meter.AssertNone();
        Assert.NotEqual(0, sum);
    }

    [Fact]
    public void Lookup_NoMembersOrNoWeight_IsNone()
    {
        Assert.Equal(-1, MaglevTable.Build([], 251).Lookup(12345));
        Assert.Equal(-1, MaglevTable.Build([new(1, 0), new(2, 0)], 251).Lookup(uint.MaxValue));
    }

    /// <summary>The upper bits choose: the first and the last hash of every slot lie in it.</summary>
    [Fact]
    public void Lookup_Hash_ChoosesSlotByUpperBits()
    {
        MaglevTable table = MaglevTable.Build([new(1, 1), new(2, 1), new(3, 1)], 251);
        for (uint slot = 0; slot < 251; slot++)
        {
            uint first = (uint)(((slot * (1UL << 32)) + 250) / 251), last = (uint)((((slot + 1) * (1UL << 32)) - 1) / 251);
            Assert.Equal(table.MemberAt((int)slot), table.Lookup(first));
            Assert.Equal(table.MemberAt((int)slot), table.Lookup(last));
        }
    }

    [Fact]
    public void Build_MoreMembersThanSixteenBitsCount_NamesThemAll()
    {
        MaglevMember[] members = [.. Enumerable.Range(0, 65600).Select(i => new MaglevMember((ulong)i, 1))];
        MaglevTable table = MaglevTable.Build(members, 131071);
        Assert.True(IsBalanced(table));
        Assert.Equal(131071, Enumerable.Range(0, 65600).Sum(table.SlotsOf));
        Assert.Equal(table.MemberAt(0), table.Lookup(0));
        Assert.Equal(table.MemberAt(131070), table.Lookup(uint.MaxValue));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(0)]
    [InlineData(MaglevTable.MaxSize + 2)]
    public void Build_SizeOutOfRange_Throws(int size) => Assert.Throws<ArgumentOutOfRangeException>(() => MaglevTable.Build([], size));

    [Theory]
    [InlineData(4)]
    [InlineData(65536)]
    [InlineData(251 * 251)]
    public void Build_SizeNotPrime_Throws(int size) => Assert.Throws<ArgumentException>(() => MaglevTable.Build([], size));

    [Fact]
    public void BuildAndChange_BadMembers_Throw()
    {
        MaglevTable table = MaglevTable.Build([new(1, 1)], 251);
        Assert.Throws<ArgumentException>(() => MaglevTable.Build([new(1, 1), new(1, 2)], 251));
        Assert.Throws<ArgumentException>(() => table.Change([new(1, 1), new(1, 2)]));
        Assert.Throws<ArgumentOutOfRangeException>(() => table.Change([new(1, -1)]));
        Assert.Throws<ArgumentOutOfRangeException>(() => table.MemberAt(251));
        Assert.Throws<ArgumentOutOfRangeException>(() => table.MemberAt(-1));
    }

    private static ulong?[] Owners(MaglevTable table) =>
        [.. Enumerable.Range(0, table.Size).Select(slot => table.MemberAt(slot)).Select(member => member < 0 ? null : (ulong?)table.Members[member].Identity)];

    private static int[] Slots(MaglevTable table) => [.. Enumerable.Range(0, table.Size).Select(table.MemberAt)];

    private static ulong[] Identities(MaglevTable table) => [.. Owners(table).Select(owner => owner ?? ulong.MaxValue)];

    private static bool IsBalanced(MaglevTable table)
    {
        double sum = table.Members.Sum(member => (long)member.Weight);
        int[] counted = new int[table.Members.Count];
        for (int slot = 0; slot < table.Size && sum > 0; slot++)
        {
            counted[table.MemberAt(slot)]++;
        }

        return Enumerable.Range(0, counted.Length).All(member => counted[member] == table.SlotsOf(member)
            && (sum == 0 || Math.Abs(counted[member] - (table.Members[member].Weight / sum * table.Size)) < 1));
    }

    private static bool MovedTheMinimum(MaglevTable before, MaglevTable after)
    {
        ulong?[] old = Owners(before), now = Owners(after);
        int moved = Enumerable.Range(0, old.Length).Count(slot => old[slot] is not null && old[slot] != now[slot]);
        int minimum = old.Where(owner => owner is not null).Distinct().Sum(owner => Math.Max(0, old.Count(o => o == owner) - now.Count(o => o == owner)));
        return moved == minimum && after.SlotsMoved == moved && after.MinimumSlotsMoved == minimum;
    }

    private static bool GaveUpLeastPreferred(MaglevTable before, MaglevTable after)
    {
        ulong?[] old = Owners(before), now = Owners(after);
        return old.Where(owner => owner is not null).Distinct().All(owner =>
        {
            ulong[] preferences = TextbookMaglev.Preferences(owner!.Value, before.Size);
            int lastKept = Array.FindLastIndex(preferences, slot => old[slot] == owner && now[slot] == owner);
            int firstLost = Array.FindIndex(preferences, slot => old[slot] == owner && now[slot] != owner);
            return firstLost < 0 || lastKept < firstLost;
        });
    }
}
