using Dataplane.Mesh.Services;
using Dataplane.Mesh.Sources;
using Dataplane.Packets;

namespace Dataplane.Mesh.Tests.Sources;

/// <summary>What sources say, part by part: the whole is what all parts say, and what has not changed is the very same object.</summary>
public sealed class SourceBookTests
{
    private static MeshEndpointSpec Endpoint(int number, string service, int weight = 1) =>
        new() { Address = IpAddress.FromV4(0x0A000000u + (uint)number), Service = service, Weight = weight, Ports = new Dictionary<string, ushort> { [""] = 80 } };

    private static MeshServiceSpec Service(string name, params ushort[] ports) => new() { Name = name, Ports = [.. ports.Select(port => new MeshPortSpec { Port = port })] };

    [Fact]
    public void Put_AnyParts_GivesWhatAllPartsSay()
    {
        var random = new Random(3);
        var model = new SortedDictionary<string, (MeshServiceSpec[] Services, MeshEndpointSpec[] Endpoints)>(StringComparer.Ordinal);
        var book = new SourceBook();
        for (int step = 0; step < 500; step++)
        {
            EndpointSet before = book.Endpoints;
            string part = $"part{random.Next(12)}";
            switch (random.Next(8))
            {
                case 0:
                    model.Remove(part);
                    book.Remove(part);
                    break;
                case 1:
                    HashSet<string> kept = [.. model.Keys.Where(_ => random.Next(4) > 0)];
                    book.RemoveAllBut(kept);
                    Array.ForEach([.. model.Keys.Where(key => !kept.Contains(key))], key => model.Remove(key));
                    break;
                default:
                    model[part] = ([.. Enumerable.Range(0, random.Next(2)).Select(i => Service($"{part}-{i}", (ushort)random.Next(1, 3)))],
                        [.. Enumerable.Range(0, random.Next(6)).Select(_ => Endpoint(random.Next(4), $"s{random.Next(5)}"))]);
                    book.Put(part, model[part].Services, model[part].Endpoints);
                    break;
            }

            EndpointSet whole = [.. model.Values.SelectMany(said => said.Endpoints)];
            Assert.Equal(Text(whole), Text(book.Endpoints));
            Assert.Equal(model.Values.SelectMany(said => said.Services).Select(service => $"{service.Name} {service.Ports[0].Port}"), book.Services.Select(service => $"{service.Name} {service.Ports[0].Port}"));
            Assert.All(book.Endpoints.Groups, group => Assert.Equal(before.Find(group.Key) is { } old && Text([.. old.Endpoints]) == Text([.. group.Endpoints]), ReferenceEquals(group, before.Find(group.Key))));
        }
    }

    [Fact]
    public void Put_TheSameAgain_LeavesEverythingTheSameObject()
    {
        var book = new SourceBook();
        void Say() => book.Put("file", [Service("a", 80), Service("b", 80)], [Endpoint(1, "a"), Endpoint(2, "b")]);
        Say();
        (IReadOnlyList<MeshServiceSpec> services, EndpointSet endpoints) = (book.Services, book.Endpoints);
        Say();
        Assert.Same(services, book.Services);
        Assert.Same(endpoints, book.Endpoints);

        // One endpoint of a whole file: the group of the other service stays.
        book.Put("file", [Service("a", 80), Service("b", 80)], [Endpoint(1, "a"), Endpoint(2, "b", weight: 5)]);
        Assert.Same(services, book.Services);
        Assert.Same(endpoints.Find("default/a"), book.Endpoints.Find("default/a"));
        Assert.Equal(5, book.Endpoints.Find("default/b")!.Endpoints[0].Weight);
        book.Put("file", [Service("a", 81), Service("b", 80)], [Endpoint(1, "a"), Endpoint(2, "b", weight: 5)]);
        Assert.Equal(81, book.Services[0].Ports[0].Port);
    }

    [Fact]
    public void Complain_APartThatIsBroken_GoesOnSayingWhatItSaid()
    {
        var book = new SourceBook();
        book.Put("one", [Service("a", 80)], [], ["first"]);
        Assert.Equal(["first"], book.Problems);
        book.Complain("one", ["second"]);
        Assert.Equal(("a", "second"), (Assert.Single(book.Services).Name, Assert.Single(book.Problems)));
        book.Put("one", [Service("a", 80)], []);
        Assert.Empty(book.Problems);
    }

    private static string Text(EndpointSet endpoints) => string.Join('\n', endpoints.Select(endpoint => $"{endpoint.Namespace} {endpoint.Service} {endpoint.Address} {endpoint.Weight}"));
}
