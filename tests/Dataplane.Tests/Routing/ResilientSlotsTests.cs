using Dataplane.Routing;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Routing;

public class ResilientSlotsTests
{
    private static readonly Gen<List<GroupMember>> s_members =
        from count in Gen.Choose(1, 12)
        from weights in Gen.Choose(1, 9).ArrayOf(count)
        select weights.Select((weight, hop) => new GroupMember(hop, weight)).ToList();

    [Fact]
    public void Divide_AnyWeights_SharesAreExactWithinOneSlot() =>
        Prop.ForAll(s_members.ToArbitrary(), Gen.Elements(1, 7, 64, 256, 1000).ToArbitrary(), (members, slots) =>
            Errors(ResilientSlots.Divide(Empty(slots), [], members), members).All(error => error < 1)).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    [Fact]
    public void Divide_MembersLeave_OnlyTheirFlowsMove() =>
        Prop.ForAll(s_members.ToArbitrary(), Gen.Choose(0, 4095).ToArbitrary(), (members, stay) =>
        {
            int[] before = ResilientSlots.Divide(Empty(256), [], members);
            List<GroupMember> left = [.. members.Where(member => (stay >> member.Hop & 1) != 0)];
            int[] after = ResilientSlots.Divide(before, members, left);
            HashSet<int> staying = [.. left.Select(member => member.Hop)];
            return before.Zip(after).All(slot => !staying.Contains(slot.First) || slot.First == slot.Second)
                && after.All(hop => left.Count == 0 ? hop == -1 : staying.Contains(hop));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    [Fact]
    public void Divide_MembersJoin_FlowsMoveOnlyToThem() =>
        Prop.ForAll(s_members.ToArbitrary(), s_members.ToArbitrary(), (members, joining) =>
        {
            int[] before = ResilientSlots.Divide(Empty(256), [], members);
            List<GroupMember> all = [.. joining.Select(member => member with { Hop = member.Hop + 100 }), .. members];
            int[] after = ResilientSlots.Divide(before, members, all);
            return before.Zip(after).All(slot => slot.First == slot.Second || slot.Second >= 100) && Errors(after, all).All(error => error <= 1.001);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    [Fact]
    public void Divide_OtherWeights_FewestMoveAndSharesAreExactWithinOneSlot() =>
        Prop.ForAll(s_members.ToArbitrary(), s_members.ToArbitrary(), (members, others) =>
        {
            int[] before = ResilientSlots.Divide(Empty(256), [], members), after = ResilientSlots.Divide(before, members, others);

            // No division moves fewer slots than what the growing ones gain.
            int gained = others.Sum(member => Math.Max(0, after.Count(hop => hop == member.Hop) - before.Count(hop => hop == member.Hop)));
            return before.Zip(after).Count(slot => slot.First != slot.Second) == gained && Errors(after, others).All(error => error <= 1.001);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    [Fact]
    public void Divide_AnySequence_SharesStayNearTheirWeights() =>
        Prop.ForAll(s_members.ListOf().ToArbitrary(), Gen.Choose(0, 4095).ListOf().ToArbitrary(), (lists, stays) =>
        {
            int[] slots = Empty(512);
            List<GroupMember> now = [];
            foreach ((List<GroupMember> list, int stay) in lists.Zip(stays))
            {
                slots = ResilientSlots.Divide(slots, now, list);
                now = [.. list.Where(member => (stay >> member.Hop & 1) != 0)];
                slots = ResilientSlots.Divide(slots, list, now);
                if (now.Count > 0 && Errors(slots, now).Any(error => error >= 2))
                {
                    return false;
                }
            }

            return true;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(150));

    [Fact]
    public void Divide_BadMembers_Throws()
    {
        Assert.Throws<ArgumentException>(() => ResilientSlots.Divide(Empty(8), [], [new GroupMember(1, 1), new GroupMember(1, 2)]));
        Assert.Throws<ArgumentException>(() => ResilientSlots.Divide(Empty(8), [], [new GroupMember(1, -1)]));
        Assert.All(ResilientSlots.Divide(Empty(8), [], [new GroupMember(3, 0)]), hop => Assert.Equal(-1, hop));
    }

    private static int[] Empty(int slots) => [.. Enumerable.Repeat(-1, slots)];

    private static IEnumerable<double> Errors(int[] slots, IReadOnlyList<GroupMember> members)
    {
        double sum = members.Sum(member => member.Weight);
        return members.Select(member => Math.Abs(slots.Count(hop => hop == member.Hop) - (slots.Length * member.Weight / sum)));
    }
}
