using Dataplane.Mesh.Services;
using Dataplane.Packets;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Mesh.Tests.Services;

/// <summary>Addresses by name: no two the same, the same in any order, hardly any moved by a new name.</summary>
public sealed class VirtualAddressesTests
{
    [Theory]
    [InlineData("10.96.0.0/16")]
    [InlineData("10.96.0.0/24")]
    [InlineData("10.96.0.0/29")]
    [InlineData("fd00::/112")]
    [InlineData("fd00::/48")]
    public void Allocate_AnyNames_GivesEachOneOfItsOwnInTheRange(string text)
    {
        var range = IpPrefix.Parse(text);
        IpAddress reserved = range.First.IsIpv4 ? IpAddress.FromV4((uint)range.First.Low + 3) : IpAddress.FromV6(range.First.High, range.First.Low + 300);
        Prop.ForAll(ArbMap.Default.ArbFor<NonEmptyString[]>(), given =>
        {
            string[] names = [.. given.Select(name => name.Get).Distinct().Take(5)];
            IReadOnlyDictionary<string, IpAddress> one = VirtualAddresses.Allocate(range, new HashSet<IpAddress> { reserved }, names);
            IReadOnlyDictionary<string, IpAddress> other = VirtualAddresses.Allocate(range, new HashSet<IpAddress> { reserved }, names.Reverse());
            Assert.Equal(one.OrderBy(pair => pair.Key, StringComparer.Ordinal), other.OrderBy(pair => pair.Key, StringComparer.Ordinal));
            Assert.Equal(one.Count, one.Values.Distinct().Count());
            Assert.All(one.Values, address => Assert.True(range.Contains(address) && address != reserved && address != range.First));
            Assert.Equal(names.Length, one.Count);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(100));
    }

    [Fact]
    public void Allocate_OneMoreName_MovesNextToNothing()
    {
        var range = IpPrefix.Parse("10.96.0.0/16");
        string[] names = [.. Enumerable.Range(0, 1000).Select(i => $"default/service-{i}")];
        IReadOnlyDictionary<string, IpAddress> before = VirtualAddresses.Allocate(range, new HashSet<IpAddress>(), names);
        int moved = 0;
        for (int i = 0; i < 50; i++)
        {
            IReadOnlyDictionary<string, IpAddress> after = VirtualAddresses.Allocate(range, new HashSet<IpAddress>(), [.. names, $"default/new-{i}"]);
            moved += before.Count(pair => after[pair.Key] != pair.Value);
        }

        Assert.InRange(moved, 0, 5);
        Assert.Equal(1000, before.Count);
    }

    [Fact]
    public void Allocate_MoreNamesThanAddresses_GivesAllThereAre()
    {
        IReadOnlyDictionary<string, IpAddress> given = VirtualAddresses.Allocate(IpPrefix.Parse("10.0.0.0/30"), new HashSet<IpAddress>(), ["a", "b", "c", "d"]);
        Assert.Equal(2, given.Count);
    }

    /// <summary>One name more or less, where it is said that nobody else's address changes: as if all had been given addresses anew.</summary>
    [Theory]
    [InlineData("10.96.0.0/24", 400)]
    [InlineData("10.96.0.0/28", 0)]
    public void TryAddAndRemove_AnySequence_GivesWhatGivingAllAnewGives(string text, int least)
    {
        var range = IpPrefix.Parse(text);
        (int alone, int refused) = (0, 0);
        for (int seed = 0; seed < 20; seed++)
        {
            var random = new Random(seed);
            HashSet<IpAddress> reserved = [IpAddress.FromV4((uint)range.First.Low + (uint)random.Next(2, 14))];
            HashSet<string> names = [.. Enumerable.Range(0, 8).Select(i => $"s{i}")];
            var addresses = new VirtualAddresses(range, reserved, names);
            for (int step = 0; step < 60; step++)
            {
                string name = $"s{random.Next(16)}";
                bool isAlone = names.Add(name) ? addresses.TryAdd(name, reserved) : names.Remove(name) && addresses.TryRemove(name);
                var anew = new VirtualAddresses(range, reserved, names);
                if (isAlone)
                {
                    Assert.Equal(anew.Given.OrderBy(pair => pair.Key), addresses.Given.OrderBy(pair => pair.Key));
                    alone++;
                }
                else
                {
                    (addresses, refused) = (anew, refused + 1);
                }
            }
        }

        Assert.True(alone > least && refused > 20, $"{alone} alone, {refused} anew");
    }
}
