using System.Text.Json;
using Dataplane.Mesh.Compose;
using Dataplane.Networks;

namespace Dataplane.Gateway.Compose;

/// <summary>Where projects are kept while they are up: one directory each, with the logs of their replicas.</summary>
internal sealed class ProjectStore(string root)
{
    public const string DefaultRoot = ComposeLayout.DefaultProjects;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    public string DirectoryOf(string project) => Path.Combine(root, project);

    public string LogOf(string project, string replica) => Path.Combine(DirectoryOf(project), replica + ".log");

    /// <summary>Keeps others from changing a project at the same time, until it is disposed of.</summary>
    /// <exception cref="IOException">Somebody changes it now.</exception>
    public IDisposable Lock(string project)
    {
        Directory.CreateDirectory(root);
        string path = Path.Combine(root, project + ".lock");
        try
        {
            return DurableFile.Lock(path, s_patience);
        }
        catch (IOException busy)
        {
            throw new IOException($"Project {project} is being changed by another up or down; try again when it has ended ({path}).", busy);
        }
    }

    public RunningProject? TryLoad(string project)
    {
        string path = PathOf(project);
        return File.Exists(path) ? JsonSerializer.Deserialize(File.ReadAllBytes(path), ComposeJson.Default.RunningProject) : null;
    }

    public void Save(RunningProject project)
    {
        Directory.CreateDirectory(DirectoryOf(project.Name));
        DurableFile.Replace(PathOf(project.Name), JsonSerializer.SerializeToUtf8Bytes(project, ComposeJson.Default.RunningProject));
    }

    public void Remove(string project)
    {
        if (Directory.Exists(DirectoryOf(project)))
        {
            Directory.Delete(DirectoryOf(project), recursive: true);
        }
    }

    private string PathOf(string project) => Path.Combine(DirectoryOf(project), ComposeLayout.StateFile);
}
