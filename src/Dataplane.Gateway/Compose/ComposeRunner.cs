using Dataplane.Gateway.Networks;

namespace Dataplane.Gateway.Compose;

/// <summary>Takes the steps of a plan one after another, and writes down each, so that whatever happens in between, the next <c>up</c> or <c>down</c> goes on from there.</summary>
internal sealed class ComposeRunner(ProjectStore store, ControlClient client, ImageMap images, Action<string> tell)
{
    private readonly ReplicaMaker _maker = new(store, client, images, tell);

    /// <summary>Whether a step has changed anything.</summary>
    public bool HasChanged { get; private set; }

    /// <summary>Takes networks for the project's that were made for it and that nothing is written down of any more: the host was started anew since, say.</summary>
    /// <param name="running">What there is, as it was written down.</param>
    public async Task<RunningProject> AdoptAsync(RunningProject running)
    {
        IEnumerable<string> own = (await client.ListAsync().ConfigureAwait(false)).Where(view => view.Network.Owner == ComposeReader.OwnerOf(running.Name)).Select(view => view.Network.Name);
        return running with { Networks = [.. running.Networks.Union(own)] };
    }

    /// <summary>What there is when the network service does not answer: it has kept what is written down here, as far as namespaces are there.</summary>
    /// <param name="running">As it was written down.</param>
    public static async Task<ProjectSight> GuessAsync(RunningProject running) => new()
    {
        Running = await RunningAsync(running).ConfigureAwait(false),
        Attached = running.Replicas.Where(replica => File.Exists(ReplicaMaker.NamespaceOf(replica.Name))).Select(replica => replica.Name).ToHashSet(),
        Networks = running.Networks.ToHashSet(),
    };

    /// <summary>What is there of a project.</summary>
    /// <param name="running">As it was written down.</param>
    public async Task<ProjectSight> LookAsync(RunningProject running)
    {
        Dictionary<string, NetworkView> views = (await client.ListAsync().ConfigureAwait(false)).ToDictionary(view => view.Network.Name);
        HashSet<string> own = [.. running.Replicas.Select(replica => replica.Name)];
        var strangers = new Dictionary<string, string>();
        foreach (NetworkView view in views.Values.Where(view => running.Networks.Contains(view.Network.Name)))
        {
            if (view.Endpoints.Select(endpoint => endpoint.Container).Concat(view.Elsewhere.Select(remote => $"{remote.Container} at {remote.Host}")).FirstOrDefault(who => !own.Contains(who)) is { } stranger)
            {
                strangers[view.Network.Name] = stranger;
            }
        }

        return new ProjectSight
        {
            Running = await RunningAsync(running).ConfigureAwait(false),
            Attached = running.Replicas.Where(replica => IsAttached(replica, views)).Select(replica => replica.Name).ToHashSet(),
            Networks = views.Keys.ToHashSet(),
            Strangers = strangers,
        };
    }

    /// <summary>Takes the steps of a plan.</summary>
    /// <param name="project">The file.</param>
    /// <param name="shape">What the file means.</param>
    /// <param name="plan">The steps.</param>
    /// <param name="running">What there is, as it was written down.</param>
    /// <exception cref="IOException">A step failed; those before it stay taken, and it is not.</exception>
    public async Task<RunningProject> ApplyAsync(ComposeProject project, ProjectShape shape, ProjectPlan plan, RunningProject running)
    {
        var book = new ProjectBook(store, running);
        book.Save();
        foreach (PlanStep step in plan.Steps)
        {
            // Ports and networks change whole or not at all.
            HasChanged |= step.Kind is not (PlanStepKind.Keep or PlanStepKind.SetPorts or PlanStepKind.CreateNetwork);
            string detail = await TakeAsync(project, shape, step, book).ConfigureAwait(false);
            HasChanged |= step.Kind != PlanStepKind.Keep;
            tell(PlanText.Done(step, detail));
        }

        book.Sort(shape);
        return book.Project;
    }

    /// <summary>Takes a project down: processes, endpoints, namespaces, the networks that were made for it.</summary>
    public async Task DownAsync(RunningProject running)
    {
        foreach (Replica replica in running.Replicas.Reverse())
        {
            await _maker.RemoveAsync(replica).ConfigureAwait(false);
            tell(PlanText.Done(new PlanStep(PlanStepKind.Remove, replica.Name)));
        }

        foreach (string network in running.Networks)
        {
            try
            {
                await client.RemoveAsync(network).ConfigureAwait(false);
                tell(PlanText.Done(new PlanStep(PlanStepKind.RemoveNetwork, network)));
            }
            catch (NetworkException refused)
            {
                tell(refused.Message);
            }
        }

        store.Remove(running.Name);
    }

    /// <summary>What the image of a service is here, and what it runs by itself where that is known.</summary>
    /// <exception cref="IOException">Nothing stands for it.</exception>
    public static (string Image, IReadOnlyList<string> Command) ImageOf(ComposeService service, ImageMap images)
    {
        if (images.Find(service.Image) is { } image)
        {
            return ($"{service.Image} {image.Root}", image.Command);
        }

        if (service.Image.Length == 0)
        {
            throw new IOException($"Service {service.Name} has no image: say which by image: in the file; building one is left to others.");
        }

        return ReplicaMaker.InPodman(service.Image) is { Length: > 0 } known ? ($"{service.Image} {known}", [])
            : throw new IOException($"Service {service.Name}: nothing here stands for the image \"{service.Image}\". "
                + $"Name a root file system (--image {service.Image}=DIR) or a command (--image-command {service.Image}=COMMAND), or get the image: podman pull {service.Image}.");
    }

    private static async Task<HashSet<string>> RunningAsync(RunningProject running)
    {
        var runs = new HashSet<string>();
        foreach (Replica replica in running.Replicas)
        {
            if (await ReplicaMaker.ProcessOfAsync(replica).ConfigureAwait(false) != 0)
            {
                runs.Add(replica.Name);
            }
        }

        return runs;
    }

    /// <summary>Takes one step.</summary>
    /// <returns>What there is to say of it beside that it is done.</returns>
    private async Task<string> TakeAsync(ComposeProject project, ProjectShape shape, PlanStep step, ProjectBook book)
    {
        switch (step.Kind)
        {
            case PlanStepKind.SetPorts:
                return await SetPortsAsync(step, book).ConfigureAwait(false);
            case PlanStepKind.Remove or PlanStepKind.Stop:
                await RemoveAsync(step.Name, book).ConfigureAwait(false);
                return "";
            case PlanStepKind.RemoveNetwork:
                await client.RemoveAsync(step.Name).ConfigureAwait(false);
                book.Forget(step.Name);
                return "";
            case PlanStepKind.CreateNetwork:
                NetworkView made = await client.CreateAsync(project.Networks.First(network => network.Record.Name == step.Name && !network.IsExternal).Record).ConfigureAwait(false);
                book.Add(shape.Networks.First(network => network.Name == step.Name));
                return string.Join(", ", made.Network.Subnets.Select(subnet => subnet.Subnet));
            case PlanStepKind.Create:
                return AddressesOf(await CreateAsync(project, step.Name, book).ConfigureAwait(false));
            case PlanStepKind.Start:
                await StartAsync(project, shape, step.Name, book).ConfigureAwait(false);
                return "";
            case PlanStepKind.Recreate:
                await RemoveAsync(step.Name, book).ConfigureAwait(false);
                await CreateAsync(project, step.Name, book).ConfigureAwait(false);
                return AddressesOf(await StartAsync(project, shape, step.Name, book).ConfigureAwait(false));
            default:
                return "";
        }
    }

    private async Task<string> SetPortsAsync(PlanStep step, ProjectBook book)
    {
        Replica replica = book.Find(step.Name);
        ReplicaAttachment open = replica.Attachments.First(attachment => attachment.IsDefault);
        await client.PublishAsync(open.Network, replica.Name, open.Interface, [.. step.Ports]).ConfigureAwait(false);
        string[] ports = [.. step.Ports.Select(NetworkRequests.Describe)];
        string changes = PlanText.Changes(replica, step);
        book.Put(replica with { Ports = ports });
        return changes;
    }

    private async Task RemoveAsync(string name, ProjectBook book)
    {
        Replica replica = book.Find(name);

        // Whoever is stopped half-way is not finished.
        book.Put(replica with { Definition = new Dictionary<string, string>() });
        await _maker.RemoveAsync(replica).ConfigureAwait(false);
        book.Remove(name);
    }

    private async Task<Replica> CreateAsync(ComposeProject project, string name, ProjectBook book)
    {
        (ComposeService service, int number) = ServiceOf(project, name);
        try
        {
            return await _maker.AttachAsync(project, service, number, book.Put).ConfigureAwait(false);
        }
        catch when (book.Has(name))
        {
            await RemoveAsync(name, book).ConfigureAwait(false);
            throw;
        }
    }

    private async Task<Replica> StartAsync(ComposeProject project, ProjectShape shape, string name, ProjectBook book)
    {
        Replica started = await _maker.StartAsync(project, ServiceOf(project, name).Service, book.Find(name)).ConfigureAwait(false);
        started = started with { Definition = shape.Replicas.First(replica => replica.Name == name).Definition };
        book.Put(started);
        return started;
    }

    private static (ComposeService Service, int Number) ServiceOf(ComposeProject project, string name) =>
        (from service in project.Services
         from number in Enumerable.Range(1, service.Replicas)
         where ShapeReader.NameOf(project, service, number) == name
         select (service, number)).First();

    private static string AddressesOf(Replica replica) => string.Join(", ", replica.Attachments.SelectMany(attachment => attachment.Addresses));

    private static bool IsAttached(Replica replica, Dictionary<string, NetworkView> views) =>
        File.Exists(ReplicaMaker.NamespaceOf(replica.Name)) && replica.Attachments.All(attachment => views.TryGetValue(attachment.Network, out NetworkView? view)
            && view.Endpoints.Any(endpoint => endpoint.Container == replica.Name && endpoint.Interface == attachment.Interface && endpoint.Addresses.SequenceEqual(attachment.Addresses)));
}
