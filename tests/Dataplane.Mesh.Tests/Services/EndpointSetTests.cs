using Dataplane.Mesh.Services;
using Dataplane.Packets;

namespace Dataplane.Mesh.Tests.Services;

/// <summary>Sets of endpoints against lists of them.</summary>
public sealed class EndpointSetTests
{
    private static MeshEndpointSpec Endpoint(int number, string service, string space = "default") =>
        new() { Address = IpAddress.FromV4(0x0A000000u + (uint)number), Service = service, Namespace = space, Labels = number % 2 == 0 ? new Dictionary<string, string>() : new Dictionary<string, string> { ["a"] = "b" } };

    [Fact]
    public void With_AnyGroups_IsWhatWasThereWithTheOthersInTheirPlace()
    {
        var random = new Random(7);
        var model = new SortedDictionary<string, EndpointGroup>(StringComparer.Ordinal);
        EndpointSet set = EndpointSet.Empty;
        for (int step = 0; step < 500; step++)
        {
            EndpointSet before = set;
            EndpointGroup[] changed = [.. Enumerable.Range(0, random.Next(1, 5)).Select(_ => (Space: $"n{random.Next(3)}", Service: random.Next(8) == 0 ? "" : $"s{random.Next(20)}")).Distinct()
                .Select(key => new EndpointGroup(key.Space, key.Service, [.. Enumerable.Range(0, random.Next(4)).Select(number => Endpoint(number, key.Service, key.Space))]))];
            foreach (EndpointGroup group in changed)
            {
                model.Remove(group.Key);
                if (group.Endpoints.Count > 0)
                {
                    model.Add(group.Key, group);
                }
            }

            set = set.With(changed);
            Assert.Equal(model.Values, set.Groups);
            Assert.Equal(model.Values.Sum(group => group.Endpoints.Count), set.Count);
            Assert.Equal(set.Count, set.AsEnumerable().Count());
            Assert.All(changed, group => Assert.Same(model.GetValueOrDefault(group.Key), set.Find(group.Key)));
            Assert.All(new[] { "n0", "n1", "n2", "n" }, space => Assert.Equal(model.Values.Where(group => group.Namespace == space), set.OfNamespace(space).ToArray()));

            // Each group that is another is told once, as it was and as it is.
            (EndpointGroup? Before, EndpointGroup? Now)[] changes = [.. EndpointSet.Changes(before, set)];
            Assert.Equal(changed.Select(group => group.Key).Where(key => before.Find(key) != set.Find(key)).Order(StringComparer.Ordinal), changes.Select(change => (change.Now ?? change.Before)!.Key));
            Assert.All(changes, change => Assert.Equal((before.Find((change.Now ?? change.Before)!.Key), set.Find((change.Now ?? change.Before)!.Key)), change));
        }

        Assert.Empty(EndpointSet.Changes(set, set));
    }

    [Fact]
    public void Create_FromAList_KeepsTheOrderOfThoseThatNameTheSameService()
    {
        EndpointSet set = [Endpoint(3, "b"), Endpoint(9, "a"), Endpoint(1, "b"), Endpoint(2, "", "other")];
        Assert.Equal(["default/a", "default/b", "other/"], set.Groups.Select(group => group.Key));
        Assert.Equal(["10.0.0.3", "10.0.0.1"], set.Find("default/b")!.Endpoints.Select(endpoint => endpoint.Address.ToString()));
        Assert.Equal([true, true, false], set.Groups.Select(group => group.HasLabels));
    }
}
