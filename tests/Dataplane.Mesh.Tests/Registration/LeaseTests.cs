using Dataplane.Mesh.Registration;

namespace Dataplane.Mesh.Tests.Registration;

/// <summary>Leases run out when they should, whatever has been renewed, changed and taken out meanwhile.</summary>
public sealed class LeaseTests
{
    private sealed class Clock : TimeProvider
    {
        public long Seconds { get; set; }

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => Seconds;
    }

    [Fact]
    public void Expire_AnyOrderOfRegistrations_TakesOutThoseWhoseLeaseIsOverAndNoOthers()
    {
        int gone = 0;
        for (int seed = 0; seed < 100; seed++)
        {
            var random = new Random(seed);
            var clock = new Clock();
            var registry = new Registry(clock);
            var model = new Dictionary<string, (long Renewed, int Lease)>();
            for (int step = 0; step < 300; step++)
            {
                string id = $"e{random.Next(8)}";
                switch (random.Next(6))
                {
                    case 0:
                        int lease = random.Next(1, 20);
                        registry.Put("default", "web", id, new EndpointRegistration { Address = "10.1.0.1", LeaseSeconds = lease });
                        model[id] = (clock.Seconds, lease);
                        break;
                    case 1:
                        Assert.Equal(model.ContainsKey(id), registry.Renew("default", "web", id) is not null);
                        if (model.TryGetValue(id, out (long Renewed, int Lease) known))
                        {
                            model[id] = (clock.Seconds, known.Lease);
                        }

                        break;
                    case 2:
                        Assert.Equal(model.Remove(id), registry.Remove("default", "web", id));
                        break;
                    default:
                        clock.Seconds += random.Next(4);
                        string[] over = [.. model.Where(pair => clock.Seconds - pair.Value.Renewed > pair.Value.Lease).Select(pair => pair.Key)];
                        Assert.Equal(over.Length > 0, registry.Expire());
                        Array.ForEach(over, key => model.Remove(key));
                        gone += over.Length;
                        break;
                }

                Assert.Equal(model.Keys.Order(), registry.List().Endpoints.Select(endpoint => endpoint.Id).Order());
            }
        }

        Assert.True(gone > 1000, $"{gone} leases were over");
    }

    [Fact]
    public void Trim_PlacesOfEndpointsThatAreGone_DoNotPileUp()
    {
        var queue = new LeaseQueue();
        var there = new Dictionary<(string, string, string), long> { [("a", "b", "c")] = 5 };
        for (int i = 0; i < 100_000; i++)
        {
            queue.Add(("a", "b", $"{i}"), i);
            queue.Trim(there, place => place);
        }

        Assert.InRange(queue.Count, 1, 2000);
        queue.Trim(there, place => place);
        Assert.True(queue.TryTake(6, out (string, string, string) key) && key == ("a", "b", "c"));
    }
}
