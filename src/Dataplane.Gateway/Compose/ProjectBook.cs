namespace Dataplane.Gateway.Compose;

/// <summary>What is there of a project while it changes: each change is on the disk before the next step.</summary>
internal sealed class ProjectBook(ProjectStore store, RunningProject project)
{
    public RunningProject Project { get; private set; } = project;

    public void Save() => store.Save(Project);

    /// <summary>Whether a replica is written down.</summary>
    public bool Has(string name) => Project.Replicas.Any(replica => replica.Name == name);

    /// <summary>A replica that is there.</summary>
    public Replica Find(string name) => Project.Replicas.First(replica => replica.Name == name);

    /// <summary>Writes a replica down, in the place of what was known of it.</summary>
    public void Put(Replica replica)
    {
        bool isKnown = Has(replica.Name);
        Project = Project with { Replicas = isKnown ? [.. Project.Replicas.Select(other => other.Name == replica.Name ? replica : other)] : [.. Project.Replicas, replica] };
        Save();
    }

    /// <summary>Strikes a replica out, with its log: another of its name begins anew.</summary>
    public void Remove(string name)
    {
        Project = Project with { Replicas = [.. Project.Replicas.Where(replica => replica.Name != name)] };
        Save();
        File.Delete(store.LogOf(Project.Name, name));
    }

    /// <summary>Puts the replicas into the order of the file; what is not in it comes last.</summary>
    public void Sort(ProjectShape shape)
    {
        Dictionary<string, int> places = shape.Replicas.Select((replica, index) => (replica.Name, index)).ToDictionary();
        Project = Project with { Replicas = [.. Project.Replicas.OrderBy(replica => places.GetValueOrDefault(replica.Name, int.MaxValue))] };
        Save();
    }

    /// <summary>Writes a network down.</summary>
    public void Add(NetworkShape network)
    {
        Forget(network.Name);
        Project = Project with
        {
            Networks = [.. Project.Networks, network.Name],
            NetworkDefinitions = new Dictionary<string, string>(Project.NetworkDefinitions) { [network.Name] = network.Definition },
        };
        Save();
    }

    /// <summary>Strikes a network out.</summary>
    public void Forget(string network)
    {
        Project = Project with
        {
            Networks = [.. Project.Networks.Where(name => name != network)],
            NetworkDefinitions = Project.NetworkDefinitions.Where(pair => pair.Key != network).ToDictionary(),
        };
        Save();
    }
}
