using Dataplane.Routing;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Routing;

public class NextHopGroupsTests
{
    private static readonly Gen<List<GroupMember>> s_members =
        from count in Gen.Choose(1, 12)
        from weights in Gen.Choose(1, 9).ArrayOf(count)
        select weights.Select((weight, hop) => new GroupMember(hop, weight)).ToList();

    [Fact]
    public void Select_NoSuchGroupOrNobodyInIt_IsNoHop()
    {
        var groups = new NextHopGroups();
        Assert.Equal(NextHopGroups.NoHop, groups.Select(0, 7));
        Assert.Equal(NextHopGroups.NoHop, groups.Select(-1, 7));
        Assert.Equal(NextHopGroups.NoHop, groups.Select(int.MaxValue, 7));
        Assert.Equal(NextHopGroups.NoHop, groups.Select(groups.Add([]), 7));
        Assert.Equal(NextHopGroups.NoHop, groups.Select(groups.Add([new GroupMember(3, 0)]), 7));
        Assert.Equal(2, groups.Count);
    }

    [Fact]
    public void Add_AnyWeights_SharesAreExactWithinOneSlot() =>
        Prop.ForAll(s_members.ToArbitrary(), Gen.Elements(1, 7, 64, 256, 1000).ToArbitrary(), (members, slots) =>
        {
            var groups = new NextHopGroups();
            return Errors(groups, groups.Add(members, slots), members, slots).All(error => error < 1);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    [Fact]
    public void Change_MembersLeave_OnlyTheirFlowsMove() =>
        Prop.ForAll(s_members.ToArbitrary(), Gen.Choose(0, 4095).ToArbitrary(), (members, stay) =>
        {
            var groups = new NextHopGroups();
            int group = groups.Add(members, 256);
            int[] before = Slots(groups, group, 256);
            List<GroupMember> left = [.. members.Where(member => (stay >> member.Hop & 1) != 0)];
            int moved = groups.Change(group, left);
            int[] after = Slots(groups, group, 256);
            HashSet<int> staying = [.. left.Select(member => member.Hop)];
            return before.Zip(after).All(slot => !staying.Contains(slot.First) || slot.First == slot.Second)
                && moved == before.Count(hop => !staying.Contains(hop))
                && after.All(hop => left.Count == 0 ? hop == NextHopGroups.NoHop : staying.Contains(hop));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    [Fact]
    public void Change_MembersJoin_FlowsMoveOnlyToThem() =>
        Prop.ForAll(s_members.ToArbitrary(), s_members.ToArbitrary(), (members, joining) =>
        {
            var groups = new NextHopGroups();
            int group = groups.Add(members, 256);
            int[] before = Slots(groups, group, 256);
            List<GroupMember> all = [.. joining.Select(member => member with { Hop = member.Hop + 100 }), .. members];
            int moved = groups.Change(group, all);
            int[] after = Slots(groups, group, 256);
            return before.Zip(after).All(slot => slot.First == slot.Second || slot.Second >= 100)
                && moved == after.Count(hop => hop >= 100)
                && Errors(groups, group, all, 256).All(error => error <= 1.001);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    [Fact]
    public void Change_Weights_FewestMoveAndSharesAreExactWithinOneSlot() =>
        Prop.ForAll(s_members.ToArbitrary(), s_members.ToArbitrary(), (members, others) =>
        {
            var groups = new NextHopGroups();
            int group = groups.Add(members, 256);
            int[] before = Slots(groups, group, 256);
            int moved = groups.Change(group, others);
            int[] after = Slots(groups, group, 256);

            // No division moves fewer slots than what the growing ones gain.
            int gained = others.Sum(member => Math.Max(0, after.Count(hop => hop == member.Hop) - before.Count(hop => hop == member.Hop)));
            return moved == gained && Errors(groups, group, others, 256).All(error => error <= 1.001);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    [Fact]
    public void Change_AnySequence_SharesStayNearTheirWeights() =>
        Prop.ForAll(s_members.ListOf().ToArbitrary(), Gen.Choose(0, 4095).ListOf().ToArbitrary(), (lists, stays) =>
        {
            var groups = new NextHopGroups();
            int group = groups.Add([], 512);
            foreach ((IList<GroupMember> list, int stay) in lists.Zip(stays))
            {
                groups.Change(group, [.. list]);
                GroupMember[] left = [.. list.Where(member => (stay >> member.Hop & 1) != 0)];
                groups.Change(group, left);
                if (left.Length > 0 && Errors(groups, group, left, 512).Any(error => error >= 2))
                {
                    return false;
                }
            }

            return true;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(150));

    [Fact]
    public void Remove_Group_ItsNumberIsUsedAgain()
    {
        var groups = new NextHopGroups();
        int[] made = [.. Enumerable.Range(0, 40).Select(hop => groups.Add([new GroupMember(hop, 1)]))];
        Assert.Equal(Enumerable.Range(1, 40), made);
        groups.Remove(7);
        Assert.Equal(NextHopGroups.NoHop, groups.Select(7, 1));
        Assert.Equal(39, groups.Count);
        Assert.Equal(7, groups.Add([new GroupMember(99, 1)]));
        Assert.Equal(99, groups.Select(7, uint.MaxValue));
        Assert.Equal([new GroupMember(99, 1)], groups.Members(7));
    }

    [Fact]
    public void Members_Bad_ThrowAndChangeNothing()
    {
        var groups = new NextHopGroups();
        int group = groups.Add([new GroupMember(1, 1)]);
        Assert.Throws<ArgumentException>(() => groups.Change(group, [new GroupMember(1, 1), new GroupMember(1, 2)]));
        Assert.Throws<ArgumentException>(() => groups.Change(group, [new GroupMember(1, -1)]));
        Assert.Throws<ArgumentException>(() => groups.Change(group, [new GroupMember(-1, 1)]));
        Assert.Throws<ArgumentException>(() => groups.Change(0, []));
        Assert.Throws<ArgumentException>(() => groups.Remove(group + 1));
        Assert.Throws<ArgumentException>(() => groups.Members(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => groups.Add([], 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => groups.Add([], NextHopGroups.MaxSlots + 1));
        Assert.Equal(1, groups.Select(group, 0));
    }

    [Fact]
    public void Select_Many_AgreesWithOneByOneAndAllocatesNothing()
    {
        var groups = new NextHopGroups();
        groups.Add([new GroupMember(1, 1), new GroupMember(2, 3)], 64);
        groups.Add([new GroupMember(5, 1), new GroupMember(6, 1), new GroupMember(7, 1)]);
        int[] of = [.. Enumerable.Range(0, 256).Select(i => i % 4)], hops = new int[256];
        uint[] hashes = [.. Enumerable.Range(0, 256).Select(i => (uint)i * 0x9E3779B1)];
        groups.Select(of, hashes, hops);
        long before = GC.GetAllocatedBytesForCurrentThread();
        groups.Select(of, hashes, hops);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(of.Zip(hashes, groups.Select), hops);
        Assert.Throws<ArgumentException>(() => groups.Select(of, hashes, new int[255]));
        Assert.Throws<ArgumentException>(() => groups.Select(of, new uint[255], hops));
    }

    /// <summary>A reader that looks while the group changes sees one whole division or another: all flows of a batch's group are on members of the same version.</summary>
    [Fact]
    public void Change_WhileReading_EveryChoiceIsOfSomeVersion()
    {
        var groups = new NextHopGroups();
        int group = groups.Add([new GroupMember(0, 1)]);
        int from = 0, to = 0, wrong = 0;
        bool stop = false;
        var reader = new Thread(() =>
        {
            uint hash = 1;
            while (!Volatile.Read(ref stop))
            {
                int least = Volatile.Read(ref from);
                int hop = groups.Select(group, hash *= 0x9E3779B1);
                Interlocked.MemoryBarrier();
                wrong += hop < least || hop > Volatile.Read(ref to) ? 1 : 0;
            }
        });
        reader.Start();
        for (int version = 1; version <= 2000; version++)
        {
            Volatile.Write(ref to, version);
            Interlocked.MemoryBarrier();
            groups.Change(group, [new GroupMember(version, 1)]);
            Volatile.Write(ref from, version);
        }

        Volatile.Write(ref stop, true);
        reader.Join();
        Assert.Equal(0, wrong);
    }

    private static int[] Slots(NextHopGroups groups, int group, int slots) =>
        [.. Enumerable.Range(0, slots).Select(slot => groups.Select(group, (uint)((((ulong)slot << 32) + (ulong)slots - 1) / (ulong)slots)))];

    private static IEnumerable<double> Errors(NextHopGroups groups, int group, IReadOnlyList<GroupMember> members, int slots)
    {
        int[] now = Slots(groups, group, slots);
        double sum = members.Sum(member => member.Weight);
        return members.Select(member => Math.Abs(now.Count(hop => hop == member.Hop) - (slots * member.Weight / sum)));
    }
}
