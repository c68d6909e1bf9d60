using Dataplane.Balancing;
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
            Identities(MaglevTable.Build([new(99, 0)], 251).Change(members)).SequenceEqual(Identities(MaglevTable.Build(members, 251)))).QuickCheckThrowOnFailure();

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
