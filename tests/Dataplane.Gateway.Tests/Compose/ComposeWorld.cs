using Dataplane.Gateway.Compose;
using Dataplane.Gateway.Networks;

namespace Dataplane.Gateway.Tests.Compose;

/// <summary>What a plan's steps do, as a host would have it: a port, an address and a name are one replica's at a time, and a network goes only when nobody is on it. It takes a step or fails the test.</summary>
internal sealed class ComposeWorld
{
    private const int FirstHost = 2;

    private readonly Dictionary<(string Network, string Replica), int> _leases = [];

    public Dictionary<string, string> Networks { get; } = [];

    public Dictionary<string, Container> Containers { get; } = [];

    /// <summary>Replicas whose container was made, stopped or started, since it was emptied.</summary>
    public HashSet<string> Touched { get; } = [];

    internal sealed class Container(ReplicaShape shape)
    {
        public ReplicaShape Shape { get; } = shape;

        public IReadOnlyList<PublishedPort> Ports { get; set; } = shape.Ports;

        public Dictionary<string, string> Addresses { get; } = [];

        public bool Runs { get; set; }

        /// <summary>Its namespace went, with all that it had.</summary>
        public bool IsLost { get; set; }
    }

    public ProjectSight Sight => new()
    {
        Running = Containers.Where(pair => pair.Value.Runs).Select(pair => pair.Key).ToHashSet(),
        Attached = Containers.Where(pair => !pair.Value.IsLost).Select(pair => pair.Key).ToHashSet(),
        Networks = Networks.Keys.ToHashSet(),
    };

    /// <summary>What would have been written down.</summary>
    public RunningProject Project => new("p", "")
    {
        Networks = [.. Networks.Keys],
        NetworkDefinitions = Networks,
        Replicas = [.. Containers.Values.Select(container => new Replica(container.Shape.Service, container.Shape.Name)
        {
            Definition = container.Shape.Definition,
            Ports = [.. container.Ports.Select(NetworkRequests.Describe)],
            Attachments = [.. container.Shape.Networks.Select((network, index) => new ReplicaAttachment(network, $"eth{index}", [container.Addresses[network]], []) { IsDefault = index == 0 })],
        })],
    };

    public void Take(PlanStep step, ProjectShape wanted)
    {
        switch (step.Kind)
        {
            case PlanStepKind.CreateNetwork:
                Assert.True(Networks.TryAdd(step.Name, wanted.Networks.Single(network => network.Name == step.Name).Definition), $"{step.Name} is made twice");
                break;
            case PlanStepKind.RemoveNetwork:
                Assert.DoesNotContain(Containers.Values, container => container.Shape.Networks.Contains(step.Name));
                Assert.True(Networks.Remove(step.Name), $"{step.Name} is not there");
                break;
            case PlanStepKind.SetPorts:
                SetPorts(step.Name, step.Ports);
                break;
            case PlanStepKind.Keep:
                Assert.True(Containers[step.Name] is { Runs: true, IsLost: false });
                break;
            case PlanStepKind.Remove or PlanStepKind.Stop:
                Remove(step.Name);
                break;
            case PlanStepKind.Create:
                Create(wanted.Replicas.Single(shape => shape.Name == step.Name));
                break;
            case PlanStepKind.Start:
                Start(step.Name);
                break;
            default:
                Assert.Equal(PlanStepKind.Recreate, step.Kind);
                Remove(step.Name);
                Create(wanted.Replicas.Single(shape => shape.Name == step.Name));
                Start(step.Name);
                break;
        }
    }

    private void Start(string name)
    {
        Touched.Add(name);
        Assert.True(Containers[name] is { Runs: false, IsLost: false });
        Containers[name].Runs = true;
    }

    private void Remove(string name)
    {
        Touched.Add(name);
        Assert.True(Containers.Remove(name), $"{name} is not there");
    }

    private void SetPorts(string name, IReadOnlyList<PublishedPort> ports)
    {
        Assert.False(Containers[name].IsLost);
        Containers[name].Ports = ports;
        CheckPorts();
    }

    private void Create(ReplicaShape shape)
    {
        Touched.Add(shape.Name);
        Assert.All(shape.Networks, network => Assert.Contains(network, Networks.Keys));
        var made = new Container(shape);
        foreach (string network in shape.Networks)
        {
            string[] held = [.. Containers.Values.Where(other => !other.IsLost && other.Addresses.ContainsKey(network)).Select(other => other.Addresses[network])];
            string address = shape.Claims.FirstOrDefault(claim => claim.Network == network).Address ?? Choose(network, shape.Name, held);
            Assert.DoesNotContain(address, held);
            made.Addresses[network] = address;
            _leases[(network, shape.Name)] = int.Parse(address[3..], null);
        }

        Assert.True(Containers.TryAdd(shape.Name, made), $"{shape.Name} is made twice");
        CheckPorts();
    }

    /// <summary>What it had before, or the first that is free.</summary>
    private string Choose(string network, string name, string[] held)
    {
        IEnumerable<int> order = _leases.TryGetValue((network, name), out int had) ? Enumerable.Range(FirstHost, 100).Prepend(had) : Enumerable.Range(FirstHost, 100);
        return order.Select(host => $"10.{host}").First(address => !held.Contains(address));
    }

    private void CheckPorts()
    {
        int[] open = [.. Containers.Values.Where(container => !container.IsLost).SelectMany(container => container.Ports).SelectMany(port => Enumerable.Range(port.HostPort, port.Count))];
        Assert.Equal(open.Length, open.Distinct().Count());
    }
}
