/* SPDX-License-Identifier: Apache-2.0 */
#include "core/frame/schema.h"

#include <string.h>

/* A line a member, as in the .msg file. */
#define VALUE(member, kind)                           \
    {                                                 \
        member, SL_KIND_##kind, SL_SHAPE_ONE, 0, NULL \
    }
#define ARRAY(member, kind, count)                          \
    {                                                       \
        member, SL_KIND_##kind, SL_SHAPE_ARRAY, count, NULL \
    }
#define SEQUENCE(member, kind)                             \
    {                                                      \
        member, SL_KIND_##kind, SL_SHAPE_SEQUENCE, 0, NULL \
    }
#define MESSAGE(member, type)                           \
    {                                                   \
        member, SL_KIND_MESSAGE, SL_SHAPE_ONE, 0, &type \
    }
#define MESSAGE_SEQUENCE(member, type)                       \
    {                                                        \
        member, SL_KIND_MESSAGE, SL_SHAPE_SEQUENCE, 0, &type \
    }
#define SCHEMA(id, type_name, ...)                                \
    static const struct sl_member id##_members[] = {__VA_ARGS__}; \
    static const struct sl_schema id = {type_name, id##_members,  \
                                        sizeof id##_members / sizeof id##_members[0]}

/* ---- builtin_interfaces, std_msgs, rosgraph_msgs ---- */

SCHEMA(stamp, "builtin_interfaces/msg/Time", VALUE("sec", I32), VALUE("nanosec", U32));
SCHEMA(duration, "builtin_interfaces/msg/Duration", VALUE("sec", I32), VALUE("nanosec", U32));
SCHEMA(header, "std_msgs/msg/Header", MESSAGE("stamp", stamp), VALUE("frame_id", STRING));
SCHEMA(std_string, "std_msgs/msg/String", VALUE("data", STRING));
SCHEMA(std_bool, "std_msgs/msg/Bool", VALUE("data", BOOL));
SCHEMA(std_int8, "std_msgs/msg/Int8", VALUE("data", I8));
SCHEMA(std_uint8, "std_msgs/msg/UInt8", VALUE("data", U8));
SCHEMA(std_int16, "std_msgs/msg/Int16", VALUE("data", I16));
SCHEMA(std_uint16, "std_msgs/msg/UInt16", VALUE("data", U16));
SCHEMA(std_int32, "std_msgs/msg/Int32", VALUE("data", I32));
SCHEMA(std_uint32, "std_msgs/msg/UInt32", VALUE("data", U32));
SCHEMA(std_int64, "std_msgs/msg/Int64", VALUE("data", I64));
SCHEMA(std_uint64, "std_msgs/msg/UInt64", VALUE("data", U64));
SCHEMA(std_float32, "std_msgs/msg/Float32", VALUE("data", F32));
SCHEMA(std_float64, "std_msgs/msg/Float64", VALUE("data", F64));
SCHEMA(dimension, "std_msgs/msg/MultiArrayDimension", VALUE("label", STRING), VALUE("size", U32),
       VALUE("stride", U32));
SCHEMA(layout, "std_msgs/msg/MultiArrayLayout", MESSAGE_SEQUENCE("dim", dimension),
       VALUE("data_offset", U32));
SCHEMA(uint8_multi_array, "std_msgs/msg/UInt8MultiArray", MESSAGE("layout", layout),
       SEQUENCE("data", U8));
SCHEMA(float32_multi_array, "std_msgs/msg/Float32MultiArray", MESSAGE("layout", layout),
       SEQUENCE("data", F32));
SCHEMA(float64_multi_array, "std_msgs/msg/Float64MultiArray", MESSAGE("layout", layout),
       SEQUENCE("data", F64));
SCHEMA(simulated_clock, "rosgraph_msgs/msg/Clock", MESSAGE("clock", stamp));
SCHEMA(log_line, "rcl_interfaces/msg/Log", MESSAGE("stamp", stamp), VALUE("level", U8),
       VALUE("name", STRING), VALUE("msg", STRING), VALUE("file", STRING),
       VALUE("function", STRING), VALUE("line", U32));

/* ---- geometry_msgs, tf2_msgs, nav_msgs ---- */

SCHEMA(vector3, "geometry_msgs/msg/Vector3", VALUE("x", F64), VALUE("y", F64), VALUE("z", F64));
SCHEMA(vector3_stamped, "geometry_msgs/msg/Vector3Stamped", MESSAGE("header", header),
       MESSAGE("vector", vector3));
SCHEMA(point, "geometry_msgs/msg/Point", VALUE("x", F64), VALUE("y", F64), VALUE("z", F64));
SCHEMA(point_stamped, "geometry_msgs/msg/PointStamped", MESSAGE("header", header),
       MESSAGE("point", point));
SCHEMA(quaternion, "geometry_msgs/msg/Quaternion", VALUE("x", F64), VALUE("y", F64),
       VALUE("z", F64), VALUE("w", F64));
SCHEMA(pose, "geometry_msgs/msg/Pose", MESSAGE("position", point),
       MESSAGE("orientation", quaternion));
SCHEMA(pose_stamped, "geometry_msgs/msg/PoseStamped", MESSAGE("header", header),
       MESSAGE("pose", pose));
SCHEMA(pose_with_covariance, "geometry_msgs/msg/PoseWithCovariance", MESSAGE("pose", pose),
       ARRAY("covariance", F64, 36));
SCHEMA(twist, "geometry_msgs/msg/Twist", MESSAGE("linear", vector3), MESSAGE("angular", vector3));
SCHEMA(twist_stamped, "geometry_msgs/msg/TwistStamped", MESSAGE("header", header),
       MESSAGE("twist", twist));
SCHEMA(twist_with_covariance, "geometry_msgs/msg/TwistWithCovariance", MESSAGE("twist", twist),
       ARRAY("covariance", F64, 36));
SCHEMA(transform, "geometry_msgs/msg/Transform", MESSAGE("translation", vector3),
       MESSAGE("rotation", quaternion));
SCHEMA(transform_stamped, "geometry_msgs/msg/TransformStamped", MESSAGE("header", header),
       VALUE("child_frame_id", STRING), MESSAGE("transform", transform));
SCHEMA(tf_message, "tf2_msgs/msg/TFMessage", MESSAGE_SEQUENCE("transforms", transform_stamped));
SCHEMA(odometry, "nav_msgs/msg/Odometry", MESSAGE("header", header),
       VALUE("child_frame_id", STRING), MESSAGE("pose", pose_with_covariance),
       MESSAGE("twist", twist_with_covariance));
SCHEMA(path, "nav_msgs/msg/Path", MESSAGE("header", header),
       MESSAGE_SEQUENCE("poses", pose_stamped));

/* ---- sensor_msgs ---- */

SCHEMA(point_field, "sensor_msgs/msg/PointField", VALUE("name", STRING), VALUE("offset", U32),
       VALUE("datatype", U8), VALUE("count", U32));
SCHEMA(pointcloud2, "sensor_msgs/msg/PointCloud2", MESSAGE("header", header), VALUE("height", U32),
       VALUE("width", U32), MESSAGE_SEQUENCE("fields", point_field), VALUE("is_bigendian", BOOL),
       VALUE("point_step", U32), VALUE("row_step", U32), SEQUENCE("data", U8),
       VALUE("is_dense", BOOL));
SCHEMA(image, "sensor_msgs/msg/Image", MESSAGE("header", header), VALUE("height", U32),
       VALUE("width", U32), VALUE("encoding", STRING), VALUE("is_bigendian", U8),
       VALUE("step", U32), SEQUENCE("data", U8));
SCHEMA(compressed_image, "sensor_msgs/msg/CompressedImage", MESSAGE("header", header),
       VALUE("format", STRING), SEQUENCE("data", U8));
SCHEMA(region_of_interest, "sensor_msgs/msg/RegionOfInterest", VALUE("x_offset", U32),
       VALUE("y_offset", U32), VALUE("height", U32), VALUE("width", U32),
       VALUE("do_rectify", BOOL));
SCHEMA(camera_info, "sensor_msgs/msg/CameraInfo", MESSAGE("header", header), VALUE("height", U32),
       VALUE("width", U32), VALUE("distortion_model", STRING), SEQUENCE("d", F64),
       ARRAY("k", F64, 9), ARRAY("r", F64, 9), ARRAY("p", F64, 12), VALUE("binning_x", U32),
       VALUE("binning_y", U32), MESSAGE("roi", region_of_interest));
SCHEMA(imu, "sensor_msgs/msg/Imu", MESSAGE("header", header), MESSAGE("orientation", quaternion),
       ARRAY("orientation_covariance", F64, 9), MESSAGE("angular_velocity", vector3),
       ARRAY("angular_velocity_covariance", F64, 9), MESSAGE("linear_acceleration", vector3),
       ARRAY("linear_acceleration_covariance", F64, 9));
SCHEMA(navsat_status, "sensor_msgs/msg/NavSatStatus", VALUE("status", I8), VALUE("service", U16));
SCHEMA(navsatfix, "sensor_msgs/msg/NavSatFix", MESSAGE("header", header),
       MESSAGE("status", navsat_status), VALUE("latitude", F64), VALUE("longitude", F64),
       VALUE("altitude", F64), ARRAY("position_covariance", F64, 9),
       VALUE("position_covariance_type", U8));
SCHEMA(laser_scan, "sensor_msgs/msg/LaserScan", MESSAGE("header", header), VALUE("angle_min", F32),
       VALUE("angle_max", F32), VALUE("angle_increment", F32), VALUE("time_increment", F32),
       VALUE("scan_time", F32), VALUE("range_min", F32), VALUE("range_max", F32),
       SEQUENCE("ranges", F32), SEQUENCE("intensities", F32));
SCHEMA(magnetic_field, "sensor_msgs/msg/MagneticField", MESSAGE("header", header),
       MESSAGE("magnetic_field", vector3), ARRAY("magnetic_field_covariance", F64, 9));
SCHEMA(temperature, "sensor_msgs/msg/Temperature", MESSAGE("header", header),
       VALUE("temperature", F64), VALUE("variance", F64));
SCHEMA(fluid_pressure, "sensor_msgs/msg/FluidPressure", MESSAGE("header", header),
       VALUE("fluid_pressure", F64), VALUE("variance", F64));
SCHEMA(time_reference, "sensor_msgs/msg/TimeReference", MESSAGE("header", header),
       MESSAGE("time_ref", stamp), VALUE("source", STRING));
SCHEMA(joint_state, "sensor_msgs/msg/JointState", MESSAGE("header", header),
       SEQUENCE("name", STRING), SEQUENCE("position", F64), SEQUENCE("velocity", F64),
       SEQUENCE("effort", F64));
SCHEMA(battery_state, "sensor_msgs/msg/BatteryState", MESSAGE("header", header),
       VALUE("voltage", F32), VALUE("temperature", F32), VALUE("current", F32),
       VALUE("charge", F32), VALUE("capacity", F32), VALUE("design_capacity", F32),
       VALUE("percentage", F32), VALUE("power_supply_status", U8), VALUE("power_supply_health", U8),
       VALUE("power_supply_technology", U8), VALUE("present", BOOL), SEQUENCE("cell_voltage", F32),
       SEQUENCE("cell_temperature", F32), VALUE("location", STRING),
       VALUE("serial_number", STRING));

/* ---- Raw packets of devices ---- */

SCHEMA(velodyne_packet, "velodyne_msgs/msg/VelodynePacket", MESSAGE("stamp", stamp),
       ARRAY("data", U8, 1206));
SCHEMA(velodyne_scan, "velodyne_msgs/msg/VelodyneScan", MESSAGE("header", header),
       MESSAGE_SEQUENCE("packets", velodyne_packet));
SCHEMA(nebula_packet, "nebula_msgs/msg/NebulaPacket", MESSAGE("stamp", stamp),
       SEQUENCE("data", U8));
SCHEMA(nebula_packets, "nebula_msgs/msg/NebulaPackets", MESSAGE("header", header),
       MESSAGE_SEQUENCE("packets", nebula_packet));
SCHEMA(udp_packet, "udp_msgs/msg/UdpPacket", MESSAGE("header", header), VALUE("address", STRING),
       VALUE("src_port", U16), SEQUENCE("data", U8));
SCHEMA(event_packet, "event_camera_msgs/msg/EventPacket", MESSAGE("header", header),
       VALUE("height", U32), VALUE("width", U32), VALUE("seq", U64), VALUE("time_base", U64),
       VALUE("encoding", STRING), VALUE("is_bigendian", BOOL), SEQUENCE("events", U8));

static const struct sl_schema *const schemas[] = {
    &stamp,
    &duration,
    &header,
    &std_string,
    &std_bool,
    &std_int8,
    &std_uint8,
    &std_int16,
    &std_uint16,
    &std_int32,
    &std_uint32,
    &std_int64,
    &std_uint64,
    &std_float32,
    &std_float64,
    &dimension,
    &layout,
    &uint8_multi_array,
    &float32_multi_array,
    &float64_multi_array,
    &simulated_clock,
    &log_line,
    &vector3,
    &vector3_stamped,
    &point,
    &point_stamped,
    &quaternion,
    &pose,
    &pose_stamped,
    &pose_with_covariance,
    &twist,
    &twist_stamped,
    &twist_with_covariance,
    &transform,
    &transform_stamped,
    &tf_message,
    &odometry,
    &path,
    &point_field,
    &pointcloud2,
    &image,
    &compressed_image,
    &region_of_interest,
    &camera_info,
    &imu,
    &navsat_status,
    &navsatfix,
    &laser_scan,
    &magnetic_field,
    &temperature,
    &fluid_pressure,
    &time_reference,
    &joint_state,
    &battery_state,
    &velodyne_packet,
    &velodyne_scan,
    &nebula_packet,
    &nebula_packets,
    &udp_packet,
    &event_packet,
};

#define SCHEMA_COUNT (sizeof schemas / sizeof schemas[0])

/* ---- Finding ---- */

/* A type's name without what differs between the ways to write it: package and type. */
struct type_name {
    const char *package;
    size_t package_size;
    const char *type;
    size_t type_size;
};

static bool skip_prefix(const char **at, const char *prefix)
{
    size_t size = strlen(prefix);
    if (strncmp(*at, prefix, size) != 0)
        return false;
    *at += size;
    return true;
}

static bool split_name(const char *name, struct type_name *ret)
{
    ret->package = name;
    ret->package_size = strcspn(name, "/:");
    const char *at = name + ret->package_size;
    bool dds = skip_prefix(&at, "::msg::dds_::");
    if (!dds && !skip_prefix(&at, "/msg/") && !skip_prefix(&at, "/"))
        return false;
    ret->type = at;
    ret->type_size = strlen(at);
    if (dds) {
        if (ret->type_size == 0 || at[ret->type_size - 1] != '_')
            return false;
        ret->type_size--;
    }
    return true;
}

static bool same_name(const struct type_name *a, const struct type_name *b)
{
    return a->package_size == b->package_size && a->type_size == b->type_size &&
           memcmp(a->package, b->package, a->package_size) == 0 &&
           memcmp(a->type, b->type, a->type_size) == 0;
}

const struct sl_schema *sl_schema_find(const char *name)
{
    struct type_name wanted;
    if (!split_name(name, &wanted))
        return NULL;
    for (size_t i = 0; i < SCHEMA_COUNT; i++) {
        struct type_name known;
        if (split_name(schemas[i]->name, &known) && same_name(&wanted, &known))
            return schemas[i];
    }
    return NULL;
}

const struct sl_schema *sl_schema_at(size_t index)
{
    return index < SCHEMA_COUNT ? schemas[index] : NULL;
}

/* ---- Kinds ---- */

static const struct {
    const char *name;
    size_t size;
} kinds[] = {
    [SL_KIND_BOOL] = {"bool", 1},       [SL_KIND_U8] = {"uint8", 1},
    [SL_KIND_I8] = {"int8", 1},         [SL_KIND_U16] = {"uint16", 2},
    [SL_KIND_I16] = {"int16", 2},       [SL_KIND_U32] = {"uint32", 4},
    [SL_KIND_I32] = {"int32", 4},       [SL_KIND_U64] = {"uint64", 8},
    [SL_KIND_I64] = {"int64", 8},       [SL_KIND_F32] = {"float32", 4},
    [SL_KIND_F64] = {"float64", 8},     [SL_KIND_STRING] = {"string", 0},
    [SL_KIND_MESSAGE] = {"message", 0},
};

size_t sl_kind_size(enum sl_kind kind)
{
    return kinds[kind].size;
}

const char *sl_kind_name(enum sl_kind kind)
{
    return kinds[kind].name;
}
